// A client of the TypeScript SDK, version 1, of the age in PACKAGE. It signs in as the SDK's example does.
import { Provider, Task } from "./signin.mjs";

const sdk = process.env.PACKAGE;
const { Client } = await import(`${sdk}/client/index.js`);
const { StreamableHTTPClientTransport } = await import(`${sdk}/client/streamableHttp.js`);
const { UnauthorizedError } = await import(`${sdk}/client/auth.js`);
const extensions = await import(`${sdk}/client/auth-extensions.js`).catch(() => undefined); // 1.12 and 1.18 have none

function newProvider(given) {
  if (given.grant_type !== "client_credentials") {
    return new Provider(given);
  }
  const options = { clientId: given.client_id, expectedIssuer: given.issuer };
  if (given.private_key_pem) {
    const key = { privateKey: given.private_key_pem, algorithm: given.signing_algorithm };
    return new extensions.PrivateKeyJwtProvider({ ...options, ...key });
  }
  return new extensions.ClientCredentialsProvider({ ...options, clientSecret: given.client_secret });
}

// run does one task.
export async function run(url, given) {
  const authProvider = newProvider(given);
  const client = new Client({ name: sdk, version: "1" }, { capabilities: {} });
  let transport;
  const task = new Task(given, authProvider, UnauthorizedError, (answer) => transport.finishAuth(answer.get("code")));
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
