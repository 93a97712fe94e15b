// Shared by the servers: an address before the server is built, and a verifier of access tokens.
import { createServer } from "node:http";
import { createRemoteJWKSet, jwtVerify } from "jose";

export const issuer = process.env.ISSUER;

// listen takes a free port of loopback. Its result has the URL of the MCP endpoint, and serve, which
// hands all requests to an Express or Node handler.
export function listen() {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const url = new URL(`http://127.0.0.1:${server.address().port}/mcp`);
      const serve = (handler) => {
        server.on("request", handler);
        console.log(`listening on ${url}`);
      };
      resolve({ url, serve, server });
    });
  });
}

const keys = createRemoteJWKSet(new URL(`${issuer}/keys`));

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

// metadata is the part of the issuer's metadata that the projects ask for.
export const metadata = {
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/keys`,
  response_types_supported: ["code"],
  code_challenge_methods_supported: ["S256"],
};
