// oidc-provider with its demonstration pages. People sign in with any name.
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";
import { fetchDocument, listen } from "./listen.mjs";

URL.parse ??= (text) => (URL.canParse(text) ? new URL(text) : null); // Node.js 20 has none
const { url, serve } = await listen("");
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const provider = new Provider(url.origin, {
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "key-1", alg: "RS256", use: "sig" }] },
  cookies: { keys: ["a key of the cookies"] },
  scopes: ["openid", "offline_access", "mcp:tools", "mcp:admin"],
  pkce: { required: () => true },
  clientDefaults: { grant_types: ["authorization_code", "refresh_token"] },
  issueRefreshToken: (_context, client) => client.grantTypeAllowed("refresh_token"),
  fetch: fetchDocument,
  features: {
    clientIdMetadataDocument: { enabled: true, ack: "draft-02" },
    registration: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
    deviceFlow: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => "http://127.0.0.1/mcp",
      useGrantedResource: () => true,
      getResourceServerInfo: (_context, resource) => ({
        scope: "mcp:tools mcp:admin",
        audience: resource,
        accessTokenFormat: "opaque",
      }),
    },
  },
});
serve(provider.callback(), url.origin);
