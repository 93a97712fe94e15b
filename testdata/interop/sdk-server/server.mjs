// This is an MCP server on the TypeScript SDK behind the SDK's own authorization: its demonstration
// authorization server listens on AUTH_PORT, and its middleware on MCP_PORT. MODE selects the
// transport: stateful, stateless, json (stateless, with JSON responses in place of streams), or sse
// (the transport of 2024-11-05, at /sse).
import { randomUUID } from "node:crypto";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js";
import { getOAuthProtectedResourceMetadataUrl, mcpAuthMetadataRouter } from "@modelcontextprotocol/sdk/server/auth/router.js";
import { setupAuthServer } from "@modelcontextprotocol/sdk/examples/server/demoInMemoryOAuthProvider.js";
import express from "express";

const mode = process.env.MODE;
const resource = new URL(`http://localhost:${process.env.MCP_PORT}${mode === "sse" ? "/sse" : "/mcp"}`);
const metadata = setupAuthServer({ authServerUrl: new URL(`http://localhost:${process.env.AUTH_PORT}`), mcpServerUrl: resource, strictResource: true });

const verifier = {
  async verifyAccessToken(token) {
    const answer = await fetch(metadata.introspection_endpoint, { method: "POST", body: new URLSearchParams({ token }) });
    const found = await answer.json();
    return { token, clientId: found.client_id, scopes: (found.scope ?? "").split(" "), expiresAt: found.exp, resource: new URL(found.aud) };
  },
};
const authorized = requireBearerAuth({
  verifier,
  requiredScopes: ["mcp:tools"],
  resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(resource),
  expectedResource: resource,
});

function newServer() {
  const server = new McpServer({ name: "typescript", version: "1" });
  server.registerTool("greet", { description: "Greets the client" }, (extra) => ({
    content: [{ type: "text", text: `hello ${extra.authInfo.clientId ? "client" : "nobody"}, scopes: ${extra.authInfo.scopes}` }],
  }));
  return server;
}

const app = express();
app.use(express.json());
app.use(mcpAuthMetadataRouter({ oauthMetadata: metadata, resourceServerUrl: resource, scopesSupported: ["mcp:tools"] }));
const sessions = new Map();
if (mode === "sse") {
  app.get("/sse", authorized, async (_request, response) => {
    const transport = new SSEServerTransport("/messages", response);
    sessions.set(transport.sessionId, transport);
    await newServer().connect(transport);
  });
  app.post("/messages", authorized, async (request, response) => {
    await sessions.get(request.query.sessionId).handlePostMessage(request, response, request.body);
  });
} else {
  app.all("/mcp", authorized, async (request, response) => {
    let transport = sessions.get(request.headers["mcp-session-id"]);
    if (!transport) {
      transport = new StreamableHTTPServerTransport(
        mode === "stateful"
          ? { sessionIdGenerator: () => randomUUID(), onsessioninitialized: (id) => sessions.set(id, transport) }
          : { sessionIdGenerator: undefined, enableJsonResponse: mode === "json" },
      );
      await newServer().connect(transport);
    }
    await transport.handleRequest(request, response, request.body);
  });
}
app.listen(Number(process.env.MCP_PORT), () => console.log("listening"));
