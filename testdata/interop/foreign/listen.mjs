// Shared by the servers: an address before the server is built, and a verifier of access tokens.
import { createServer } from "node:http";
import { createRemoteJWKSet, jwtVerify } from "jose";

export const issuer = process.env.ISSUER;

// listen takes a free port of loopback. Its result has the URL of a path, which is the MCP endpoint
// if none is given. It also has serve, which hands all requests to an Express or Node handler, and
// prints the URL or another one.
export function listen(path = "mcp") {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const url = new URL(`http://127.0.0.1:${server.address().port}/${path}`);
      const serve = (handler, printed = url) => {
        server.on("request", handler);
        console.log(`listening on ${printed}`);
      };
      resolve({ url, serve, server });
    });
  });
}

const keys = issuer && createRemoteJWKSet(new URL(`${issuer}/keys`));

// verify checks a token as the documentation of each project asks for.
export async function verify(token, audience) {
  const { payload } = await jwtVerify(token, keys, { issuer, audience: audience.href, requiredClaims: ["exp"] });
  return {
    token,
    clientId: payload.client_id,
    scopes: (payload.scope ?? "").split(" "),
    expiresAt: payload.exp,
    extra: { subject: payload.sub },
  };
}

// fetchDocument fetches the document of a client from DOCUMENTS, an address that serves it as
// /HOST/PATH. Addresses that are not public fail, as they do where these issuers run: DOCUMENTS itself
// is on loopback, so it takes the place of a guard in the options.
const send = globalThis.fetch;
export async function fetchDocument(address, options) {
  const { host, hostname, pathname, search } = new URL(address);
  if (!/[a-z]$/.test(hostname) || hostname.endsWith("localhost")) throw new TypeError("not a public address");
  return send(`${process.env.DOCUMENTS}/${host}${pathname}${search}`, { ...options, dispatcher: undefined });
}

// metadata is the part of the issuer's metadata that the projects ask for.
export const metadata = {
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/keys`,
  response_types_supported: ["code"],
  code_challenge_methods_supported: ["S256"],
};
