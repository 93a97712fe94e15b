// The TypeScript SDK, version 1, of the age in PACKAGE, with its own middleware.
import { randomUUID } from "node:crypto";
import express from "express";
import { issuer, listen, metadata, verify } from "./listen.mjs";

const sdk = process.env.PACKAGE;
const { McpServer } = await import(`${sdk}/server/mcp.js`);
const { StreamableHTTPServerTransport } = await import(`${sdk}/server/streamableHttp.js`);
const { requireBearerAuth } = await import(`${sdk}/server/auth/middleware/bearerAuth.js`);
const { InvalidTokenError } = await import(`${sdk}/server/auth/errors.js`);
const { getOAuthProtectedResourceMetadataUrl, mcpAuthMetadataRouter } = await import(`${sdk}/server/auth/router.js`);

const { url, serve } = await listen();
const verifier = {
  async verifyAccessToken(token) {
    try {
      return await verify(token, url);
    } catch (error) {
      throw new InvalidTokenError(error.message);
    }
  },
};

function newServer() {
  const server = new McpServer({ name: sdk, version: "1" });
  server.tool("whoami", (extra) => ({ content: [{ type: "text", text: extra.authInfo.extra.subject }] }));
  return server;
}

const app = express();
app.use(express.json());
app.use(mcpAuthMetadataRouter({ oauthMetadata: { ...metadata, issuer }, resourceServerUrl: url, scopesSupported: ["mcp:tools"] }));
const authorized = requireBearerAuth({
  verifier,
  requiredScopes: ["mcp:tools"],
  resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(url),
});
const sessions = new Map();
app.all("/mcp", authorized, async (request, response) => {
  let transport = sessions.get(request.headers["mcp-session-id"]);
  if (!transport && request.method === "POST" && request.body?.method === "initialize") {
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => sessions.set(id, transport),
    });
    await newServer().connect(transport);
    const closed = transport.onclose;
    transport.onclose = () => {
      closed?.();
      sessions.delete(transport.sessionId);
    };
  }
  if (!transport) {
    response.status(404).json({ jsonrpc: "2.0", id: null, error: { code: -32001, message: "Session not found" } });
    return;
  }
  await transport.handleRequest(request, response, request.body);
});
serve(app);
