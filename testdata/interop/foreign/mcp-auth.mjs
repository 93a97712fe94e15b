// mcp-auth in front of the TypeScript SDK.
import express from "express";
import { MCPAuth, fetchServerConfig } from "mcp-auth";
import { McpServer } from "sdk-1.32/server/mcp.js";
import { StreamableHTTPServerTransport } from "sdk-1.32/server/streamableHttp.js";
import { issuer, listen } from "./listen.mjs";

const { url, serve } = await listen();
const auth = new MCPAuth({
  protectedResources: [
    {
      metadata: {
        resource: url.href,
        authorizationServers: [await fetchServerConfig(issuer, { type: "oauth" })],
        scopesSupported: ["mcp:tools"],
      },
    },
  ],
});
const app = express();
app.use(auth.protectedResourceMetadataRouter());
app.use("/mcp", auth.bearerAuth("jwt", { resource: url.href, audience: url.href, requiredScopes: ["mcp:tools"] }));
app.use(express.json());
app.all("/mcp", async (request, response) => {
  const server = new McpServer({ name: "mcp-auth", version: "1" });
  server.tool("whoami", (extra) => ({ content: [{ type: "text", text: extra.authInfo.subject }] }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  await server.connect(transport);
  await transport.handleRequest(request, response, request.body);
});
serve(app);
