// A client of the AI SDK.
import { auth, createMCPClient, UnauthorizedError } from "@ai-sdk/mcp";
import { Provider, Task } from "./signin.mjs";

// An AIProvider also keeps the state and the authorization server, which this SDK asks for.
class AIProvider extends Provider {
  saveState(state) {
    this.stored = state;
  }

  storedState() {
    return this.stored;
  }

  saveAuthorizationServerInformation(information) {
    this.server = information;
  }

  authorizationServerInformation() {
    return this.server;
  }

  isClientInformationDynamicallyRegistered() {
    return !this.given.client_id;
  }
}

// run does one task.
export async function run(url, given) {
  const authProvider = new AIProvider(given);
  let resourceMetadataUrl; // the transport keeps it for itself
  const remember = async (input, init) => {
    const answer = await fetch(input, init);
    const named = /resource_metadata="([^"]*)"/.exec(answer.headers.get("www-authenticate") ?? "");
    resourceMetadataUrl = URL.canParse(named?.[1]) ? new URL(named[1]) : resourceMetadataUrl;
    return answer;
  };
  const finish = (answer) =>
    auth(authProvider, {
      serverUrl: url,
      resourceMetadataUrl,
      authorizationCode: answer.get("code"),
      callbackState: answer.get("state"),
      callbackIssuer: answer.get("iss") ?? undefined,
    });
  const task = new Task(given, authProvider, UnauthorizedError, finish);
  const connect = () => createMCPClient({ transport: { type: "http", url, authProvider, fetch: remember } });
  const client = await task.signedIn(connect);
  try {
    await task.calls(client, { name: "test-tool", args: {} });
  } finally {
    await client.close();
  }
}
