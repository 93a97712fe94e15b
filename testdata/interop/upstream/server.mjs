// This is an MCP server on the TypeScript SDK, with sessions and without OAuth. It trusts the caller's
// name because of its signature. The tool reports its progress, and goes on when the file GO exists:
// the test creates it once the report has arrived.
import { randomUUID } from "node:crypto";
import { watch, existsSync } from "node:fs";
import { createServer } from "node:http";
import { dirname } from "node:path";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { createRemoteJWKSet, jwtVerify } from "jose";

const keys = createRemoteJWKSet(new URL(`${process.env.PUBLIC_URL}/caller/jwks`));

async function callerOf(headers) {
  const { payload } = await jwtVerify(headers["mcp-entra-caller"], keys, {
    issuer: process.env.PUBLIC_URL,
    audience: process.env.OWN_URL,
    algorithms: ["ES256"],
    typ: "mcp-entra-caller+jwt",
  });
  return payload;
}

function fileGo() {
  return new Promise((resolve) => {
    const watcher = watch(dirname(process.env.GO), () => check());
    const check = () => {
      if (existsSync(process.env.GO)) {
        watcher.close();
        resolve();
      }
    };
    check();
  });
}

function newServer() {
  const server = new McpServer({ name: "typescript", version: "1" });
  server.registerTool("slow", { description: "Reports its progress" }, async (extra) => {
    const caller = await callerOf(extra.requestInfo.headers);
    await extra.sendNotification({
      method: "notifications/progress",
      params: { progressToken: extra._meta.progressToken, progress: 1, total: 2 },
    });
    await fileGo();
    const token = extra.requestInfo.headers.authorization ?? "none";
    return { content: [{ type: "text", text: `done for ${caller.name}, token: ${token}` }] };
  });
  return server;
}

const sessions = new Map();
const http = createServer(async (request, response) => {
  try {
    let transport = sessions.get(request.headers["mcp-session-id"]);
    if (!transport) {
      transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: (id) => sessions.set(id, transport),
      });
      await newServer().connect(transport);
    }
    await transport.handleRequest(request, response);
  } catch (error) {
    console.error(error);
    response.writeHead(500).end();
  }
});
http.listen(Number(new URL(process.env.OWN_URL).port), "127.0.0.1", () => console.log("listening"));
