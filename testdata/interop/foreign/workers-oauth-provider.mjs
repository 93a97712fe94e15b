// The authorization server of workers-oauth-provider, with the consent page of its documentation.
// Node takes the part of the Workers runtime.
import { register } from "node:module";
import { getRequestListener } from "@hono/node-server";
import { fetchDocument, listen } from "./listen.mjs";

const runtime = "data:text/javascript,export class WorkerEntrypoint {}";
const hook = `export const resolve = (name, context, next) =>
  name === "cloudflare:workers" ? { url: ${JSON.stringify(runtime)}, shortCircuit: true } : next(name, context);`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
globalThis.Cloudflare = { compatibilityFlags: { global_fetch_strictly_public: true } };
const { AuthorizationError, CimdFetchError, OAuthAuthorizationServer } = await import(
  "@cloudflare/workers-oauth-provider"
);

globalThis.fetch = fetchDocument;

// A namespace of Workers KV in memory. Like Workers KV, it takes a while. Without that, the outcome of
// a race for a code could change from run to run.
const values = new Map();
const live = (key) => {
  const entry = values.get(key);
  return entry && !(entry.expiration <= Date.now() / 1000) ? entry : undefined;
};
const pause = () => new Promise((resolve) => setTimeout(resolve, 5));
const namespace = {
  async get(key, options) {
    await pause();
    const entry = live(key);
    if (!entry) return null;
    return (options?.type ?? options) === "json" ? JSON.parse(entry.value) : entry.value;
  },
  async put(key, value, { expirationTtl, expiration, metadata } = {}) {
    await pause();
    values.set(key, { value, metadata, expiration: expirationTtl ? Date.now() / 1000 + expirationTtl : expiration });
  },
  async delete(key) {
    values.delete(key);
  },
  async list({ prefix = "" }) {
    const names = [...values.keys()].filter((name) => name.startsWith(prefix) && live(name));
    return { keys: names.map((name) => ({ name, metadata: values.get(name).metadata })), list_complete: true };
  },
};
const env = { OAUTH_KV: namespace };

const { url, serve } = await listen("");
const authorizationServer = new OAuthAuthorizationServer({
  issuer: url.origin,
  resources: ["https://mcp.example/mcp", "https://other.example/mcp"],
  scopesSupported: ["mcp:tools", "mcp:admin", "offline_access"],
  clientRegistrationEndpoint: "/register",
  clientIdMetadataDocumentEnabled: true,
});
const oauth = authorizationServer.getOAuthApi(env);

const escape = (value) => value.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
const page = (about, handle) => `<!doctype html>
<title>Authorize ${escape(about.clientName)}</title>
<h1>Allow ${escape(about.clientName)} to access your account?</h1>
<p>${about.clientDomain ? `Published by ${escape(about.clientDomain)}.` : "This app registered itself."}
Access will be sent to ${escape(about.redirectHost)}.</p>
${about.redirectIsLoopback ? "<p>This sends access to an app on your computer.</p>" : ""}
<form method="post">
  <input type="hidden" name="handle" value="${escape(handle)}">
  ${about.scope.map((scope) => `<input type="checkbox" name="scope" value="${escape(scope)}" checked> ${escape(scope)}`)}
  <button name="decision" value="approve">Allow</button> <button name="decision" value="deny">Deny</button>
</form>`;

async function authorize(request) {
  if (request.method === "GET") {
    const asked = await oauth.parseAuthRequest(request);
    const about = await oauth.describeConsent(asked);
    const consent = await oauth.beginConsent(asked);
    consent.headers.set("Content-Type", "text/html; charset=utf-8");
    return new Response(page(about, consent.handle), { headers: consent.headers });
  }
  const form = await request.formData();
  const handle = String(form.get("handle"));
  if (form.get("decision") !== "approve") {
    const denied = await oauth.denyConsent(request, handle);
    return new Response(null, { status: 302, headers: denied.headers });
  }
  const approved = await oauth.approveConsent(request, handle, { scope: form.getAll("scope").map(String) });
  const { redirectTo } = await oauth.completeAuthorization({
    request: approved.request,
    userId: "ada",
    metadata: {},
    scope: approved.request.scope,
    props: {},
    revokeExistingGrants: false,
  });
  approved.headers.set("Location", redirectTo);
  return new Response(null, { status: 302, headers: approved.headers });
}

const context = { waitUntil: (promise) => promise.catch(() => {}), passThroughOnException() {} };
serve(
  getRequestListener(async (request) => {
    if (new URL(request.url).pathname !== "/authorize") return authorizationServer.fetch(request, env, context);
    try {
      return await authorize(request);
    } catch (error) {
      if (error instanceof AuthorizationError && error.redirectTo) return Response.redirect(error.redirectTo, 302);
      const isKnown = error instanceof AuthorizationError || error instanceof CimdFetchError;
      return new Response("The request failed.", { status: isKnown ? 400 : 500 });
    }
  }),
  url.origin,
);
