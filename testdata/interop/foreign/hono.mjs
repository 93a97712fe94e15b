// @hono/mcp with its own router and transport, and Hono's middleware for bearer tokens.
import { StreamableHTTPTransport, simpleMcpAuthRouter } from "@hono/mcp";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { bearerAuth } from "hono/bearer-auth";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { issuer, listen, verify } from "./listen.mjs";

const { url, serve } = await listen();
const app = new Hono();
app.route("/", simpleMcpAuthRouter({ issuer, resourceServerUrl: url, scopesSupported: ["mcp:tools"] }));
app.use(
  "/mcp",
  bearerAuth({
    verifyToken: async (token) => {
      try {
        return (await verify(token, url)).scopes.includes("mcp:tools");
      } catch {
        return false;
      }
    },
  }),
);
app.all("/mcp", async (context) => {
  const server = new McpServer({ name: "hono", version: "1" });
  server.tool("whoami", () => ({ content: [{ type: "text", text: "unknown" }] }));
  const transport = new StreamableHTTPTransport();
  await server.connect(transport);
  return transport.handleRequest(context);
});
serve(getRequestListener(app.fetch));
