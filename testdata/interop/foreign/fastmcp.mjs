// FastMCP for Node, with its authenticate option.
import { FastMCP } from "fastmcp";
import { createServer } from "node:net";
import { issuer, verify } from "./listen.mjs";

// FastMCP takes a port and does not tell which one it got. The system assigns higher ports only.
const free = () =>
  new Promise((resolve, reject) => {
    const port = 15000 + Math.floor(Math.random() * 17000);
    const probe = createServer().listen(port, "127.0.0.1", () => probe.close(() => resolve(port)));
    probe.once("error", reject);
  });
const port = await free().catch(free).catch(free);
const url = new URL(`http://127.0.0.1:${port}/mcp`);
const server = new FastMCP({
  name: "fastmcp",
  version: "1.0.0",
  authenticate: async (request) => {
    const [scheme, token] = (request.headers.authorization ?? "").split(" ");
    let caller;
    try {
      if (scheme.toLowerCase() !== "bearer") throw new Error("no bearer token");
      caller = await verify(token, url);
    } catch {
      throw new Response(null, { status: 401, statusText: "Unauthorized" });
    }
    if (!caller.scopes.includes("mcp:tools")) throw new Response(null, { status: 403, statusText: "Forbidden" });
    return caller.extra;
  },
  oauth: {
    enabled: true,
    protectedResource: { resource: url.href, authorizationServers: [issuer], scopesSupported: ["mcp:tools"] },
  },
});
server.addTool({ name: "whoami", description: "Names the caller", execute: async (_, { session }) => session.subject });
await server.start({ transportType: "httpStream", httpStream: { port, host: "127.0.0.1", endpoint: "/mcp" } });
console.log(`listening on ${url}`);
