// A client of the TypeScript SDK, version 2. It signs in as the SDK's example does.
import {
  Client,
  ClientCredentialsProvider,
  PrivateKeyJwtProvider,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from "@modelcontextprotocol/client";
import { Provider, Task } from "./signin.mjs";

function newProvider(given) {
  if (given.grant_type !== "client_credentials") {
    return new Provider(given);
  }
  const options = { clientId: given.client_id, expectedIssuer: given.issuer };
  if (given.private_key_pem) {
    const key = { privateKey: given.private_key_pem, algorithm: given.signing_algorithm };
    return new PrivateKeyJwtProvider({ ...options, ...key });
  }
  return new ClientCredentialsProvider({ ...options, clientSecret: given.client_secret });
}

// run does one task.
export async function run(url, given) {
  const authProvider = newProvider(given);
  const client = new Client({ name: "sdk2", version: "1" }, { capabilities: {}, versionNegotiation: { mode: "auto" } });
  let transport;
  const task = new Task(given, authProvider, UnauthorizedError, (answer) => transport.finishAuth(answer));
  await task.signedIn(() => {
    transport = new StreamableHTTPClientTransport(new URL(url), { authProvider });
    return client.connect(transport);
  });
  try {
    await task.calls(client);
  } finally {
    await transport.terminateSession().catch(() => undefined);
    await client.close();
  }
}
