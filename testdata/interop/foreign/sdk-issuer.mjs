// The authorization server of the TypeScript SDK, version 1, with its demonstration provider, which
// asks nobody. The SDK's limits of the rate are off.
import express from "express";
import { DemoInMemoryAuthProvider } from "sdk-1.32/examples/server/demoInMemoryOAuthProvider.js";
import { mcpAuthRouter } from "sdk-1.32/server/auth/router.js";
import { listen } from "./listen.mjs";

const { url, serve } = await listen("");
const unlimited = { rateLimit: false };
const app = express();
app.use(
  mcpAuthRouter({
    provider: new DemoInMemoryAuthProvider(),
    issuerUrl: url,
    scopesSupported: ["mcp:tools", "mcp:admin"],
    authorizationOptions: unlimited,
    clientRegistrationOptions: unlimited,
    tokenOptions: unlimited,
  }),
);
serve(app);
