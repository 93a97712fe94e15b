// Shared by the clients: a provider as the documentation of the SDK describes it, and the task.
import { randomUUID } from "node:crypto";

const redirect = "http://localhost:3000/callback"; // has no listener: visit reads the redirect
const maxSignIns = 2;

// visit opens a page as the person does, and returns the parameters that arrive at the redirect URI.
async function visit(page) {
  for (let pages = 0; pages < 10; pages++) {
    const answer = await fetch(page, { redirect: "manual" });
    const location = answer.headers.get("location");
    if (location === null) {
      throw new Error(`want a redirect to ${redirect}, got status ${answer.status}`);
    }
    page = new URL(location, page);
    if (page.href.startsWith(redirect)) {
      return page.searchParams;
    }
  }
  throw new Error(`want a redirect to ${redirect}, got ten other pages`);
}

// A Provider keeps everything in memory. It checks the state, which is the application's duty.
export class Provider {
  redirectUrl = redirect;
  clientMetadataUrl = "https://client.example.com/client.json";
  clientMetadata = {
    client_name: "foreign client",
    redirect_uris: [redirect],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  };

  constructor(given) {
    this.given = given;
    const { client_id, client_secret, issuer } = given;
    if (client_id) {
      this.client = { client_id, client_secret: client_secret || undefined, issuer };
    }
  }

  state() {
    this.expected = randomUUID();
    return this.expected;
  }

  clientInformation() {
    return this.client;
  }

  saveClientInformation(client) {
    this.client = client;
  }

  tokens() {
    return this.kept;
  }

  saveTokens(tokens) {
    this.kept = tokens;
  }

  codeVerifier() {
    return this.verifier;
  }

  saveCodeVerifier(verifier) {
    this.verifier = verifier;
  }

  invalidateCredentials(scope) {
    if (scope === "all" || scope === "client") {
      this.client = undefined;
    }
    if (scope === "all" || scope === "tokens") {
      this.kept = undefined;
    }
  }

  async redirectToAuthorization(page) {
    this.answer = undefined;
    const answer = await visit(page);
    if (answer.get("state") !== this.expected) {
      throw new Error("want the state of this sign-in, got another");
    }
    this.answer = answer;
  }
}

// A Task is a sign-in and the calls of one client.
export class Task {
  constructor(given, provider, UnauthorizedError, finish) {
    Object.assign(this, { given, provider, UnauthorizedError, finish });
  }

  // signedIn sends a request, and again after each sign-in that it needs.
  async signedIn(send) {
    for (let signIns = 0; ; signIns++) {
      try {
        return await send();
      } catch (error) {
        const answer = this.provider.answer;
        const refused = [error, error?.cause].some((cause) => cause instanceof this.UnauthorizedError);
        if (!refused || signIns === maxSignIns || !answer) {
          throw error;
        }
        this.provider.answer = undefined;
        await this.finish(answer);
      }
    }
  }

  // calls lists the tools and calls one. A failed call does not prevent the next.
  async calls(client, call = { name: "test-tool", arguments: {} }) {
    await this.signedIn(() => client.listTools());
    let failed;
    for (let calls = 0; calls < (this.given.calls ?? 1); calls++) {
      try {
        await this.signedIn(() => client.callTool(call));
      } catch (error) {
        failed = error;
      }
    }
    if (failed) {
      throw failed;
    }
  }
}
