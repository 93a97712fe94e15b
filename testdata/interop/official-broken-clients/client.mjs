// A client of the official TypeScript SDK, broken like a client of the official conformance suite.
// It reads the redirect itself, as those clients do.
// Usage: node client.mjs FAULT URL
import { auth, extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const [fault, url] = process.argv.slice(2)
if (fault === 'inert') {
  process.exit(0)
}
const redirect = 'http://localhost:3000/callback'
const kept = {}

const provider = {
  redirectUrl: redirect,
  clientMetadata: { client_name: 'sdk', redirect_uris: [redirect], token_endpoint_auth_method: 'none' },
  clientMetadataUrl: fault === 'no-cimd' ? undefined : 'https://client.example.com/client.json',
  clientInformation: () => kept.client,
  saveClientInformation: (client) => { kept.client = client },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens },
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => { kept.verifier = verifier },
  state: () => crypto.randomUUID(),
  async redirectToAuthorization(page) {
    if (fault === 'no-pkce') {
      page.searchParams.delete('code_challenge')
      page.searchParams.delete('code_challenge_method')
    }
    if (fault === 'scopes-supported-broken') {
      page.searchParams.delete('scope')
    }
    const answer = await fetch(page, { redirect: 'manual' })
    kept.code = new URL(answer.headers.get('location')).searchParams.get('code')
  },
}

async function tokenFetch(input, init) {
  if (fault === 'no-pkce' && init?.body instanceof URLSearchParams) {
    init.body.delete('code_verifier')
  }
  return fetch(input, init)
}

async function signIn(response) {
  const { resourceMetadataUrl, scope } = extractWWWAuthenticateParams(response)
  const options = { serverUrl: url, resourceMetadataUrl, fetchFn: tokenFetch }
  if (fault !== 'scope-broken') {
    options.scope = scope
  }
  if (await auth(provider, options) === 'REDIRECT') {
    await auth(provider, { ...options, authorizationCode: kept.code })
  }
}

async function authorizedFetch(input, init) {
  for (let tries = 0; ; tries++) {
    const headers = new Headers(init?.headers)
    if (kept.tokens) {
      headers.set('Authorization', `Bearer ${kept.tokens.access_token}`)
    }
    const response = await fetch(input, { ...init, headers })
    const asksForMore = response.status === 403 && fault !== 'scope-stepup-broken'
    if ((response.status !== 401 && !asksForMore) || tries > 1) {
      return response
    }
    kept.tokens = undefined
    await signIn(response)
  }
}

const client = new Client({ name: 'sdk', version: '1' }, { capabilities: {} })
const transport = new StreamableHTTPClientTransport(new URL(url), { fetch: authorizedFetch })
await client.connect(transport)
await client.listTools()
await client.callTool({ name: 'test-tool', arguments: {} })
await transport.close()
