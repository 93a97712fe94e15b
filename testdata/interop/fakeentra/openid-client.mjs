// Runs openid-client and the MCP TypeScript SDK's discovery against a fake.
import assert from 'node:assert/strict';
import * as oidc from 'openid-client';
import { discoverAuthorizationServerMetadata } from '@modelcontextprotocol/sdk/client/auth.js';

const { AUTHORITY, TENANT, CLIENT, SECRET, API } = process.env;
const done = (what) => console.log(`ok ${what}`);
const issuer = new URL(`${AUTHORITY}/${TENANT}/v2.0`);

const config = await oidc.discovery(issuer, CLIENT, SECRET);
assert.equal(config.serverMetadata().supportsPKCE(), false, 'Entra ID does not say that it supports PKCE');
done('discovery');

const verifier = oidc.randomPKCECodeVerifier();
const address = oidc.buildAuthorizationUrl(config, {
  redirect_uri: 'http://localhost:8000/auth/callback', scope: 'openid profile offline_access', state: 's', nonce: 'n',
  code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
});
const answer = await fetch(address, { redirect: 'manual' });
const tokens = await oidc.authorizationCodeGrant(config, new URL(answer.headers.get('location')), {
  pkceCodeVerifier: verifier, expectedState: 's', expectedNonce: 'n', idTokenExpected: true,
});
assert.equal(tokens.claims().name, 'Adele Vance');
done('authorization code');

const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token);
assert.ok(refreshed.access_token);
done('refresh');

const info = await oidc.fetchUserInfo(config, refreshed.access_token, tokens.claims().sub);
assert.equal(info.name, 'Adele Vance');
done('userinfo');

const app = await oidc.clientCredentialsGrant(config, { scope: `api://${API}/.default` });
assert.ok(app.access_token);
done('client credentials');

const hybrid = await oidc.discovery(issuer, CLIENT, SECRET);
oidc.useCodeIdTokenResponseType(hybrid);
const both = oidc.buildAuthorizationUrl(hybrid, {
  redirect_uri: 'http://localhost:8000/auth/callback', scope: 'openid profile', response_mode: 'form_post', state: 's', nonce: 'n',
  code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
});
const form = await (await fetch(both)).text();
const posted = new Request(form.match(/action="([^"]+)"/)[1], {
  method: 'POST',
  body: new URLSearchParams([...form.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value])),
});
const byHybrid = await oidc.authorizationCodeGrant(hybrid, posted, { pkceCodeVerifier: verifier, expectedState: 's', expectedNonce: 'n' });
assert.equal(byHybrid.claims().name, 'Adele Vance');
done('hybrid, by form_post, with c_hash');

// The MCP SDK tries three locations. Entra ID has a document at the last one.
const asked = [];
const metadata = await discoverAuthorizationServerMetadata(issuer, {
  fetchFn: async (url, init) => {
    const response = await fetch(url, init);
    asked.push(`${response.status} ${new URL(url).pathname}`);
    return response;
  },
});
assert.equal(metadata.issuer, issuer.href);
assert.deepEqual(asked, [
  `404 /.well-known/oauth-authorization-server/${TENANT}/v2.0`, `404 /.well-known/openid-configuration/${TENANT}/v2.0`,
  `200 /${TENANT}/v2.0/.well-known/openid-configuration`,
]);
assert.equal(metadata.code_challenge_methods_supported, undefined);
assert.equal(metadata.registration_endpoint, undefined);
done('the MCP TypeScript SDK\'s discovery');
