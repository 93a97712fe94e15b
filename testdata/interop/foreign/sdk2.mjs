// The TypeScript SDK, version 2, without sessions, with its own Express middleware.
import { createMcpExpressApp, getOAuthProtectedResourceMetadataUrl, mcpAuthMetadataRouter, requireBearerAuth } from "@modelcontextprotocol/express";
import { NodeStreamableHTTPServerTransport } from "@modelcontextprotocol/node";
import * as sdk from "@modelcontextprotocol/server";
import { listen, metadata, verify } from "./listen.mjs";

const { url, serve } = await listen();
const verifier = {
  async verifyAccessToken(token) {
    try {
      return await verify(token, url);
    } catch (error) {
      throw new sdk.OAuthError("invalid_token", error.message);
    }
  },
};
const app = createMcpExpressApp();
app.use(mcpAuthMetadataRouter({ oauthMetadata: metadata, resourceServerUrl: url, scopesSupported: ["mcp:tools"] }));
const authorized = requireBearerAuth({
  verifier,
  requiredScopes: ["mcp:tools"],
  resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(url),
});
app.all("/mcp", authorized, async (request, response) => {
  const server = new sdk.McpServer({ name: "sdk2", version: "1" });
  server.registerTool("whoami", { description: "Names the caller" }, (context) => ({
    content: [{ type: "text", text: context.http.authInfo.extra.subject }],
  }));
  const transport = new NodeStreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  await server.connect(transport);
  await transport.handleRequest(request, response, request.body);
});
serve(app);
