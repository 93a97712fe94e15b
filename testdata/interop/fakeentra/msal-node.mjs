// Runs @azure/msal-node and @azure/identity against a fake over TLS. Prints a line for each step that
// worked.
import assert from 'node:assert/strict';
import { ConfidentialClientApplication, PublicClientApplication } from '@azure/msal-node';
import { ClientAssertionCredential, ClientSecretCredential, OnBehalfOfCredential } from '@azure/identity';

const { AUTHORITY, TENANT, CLIENT, SECRET, API } = process.env;
const auth = {
  clientId: CLIENT, clientSecret: SECRET, authority: `${AUTHORITY}/${TENANT}`, knownAuthorities: [new URL(AUTHORITY).host],
};
const done = (what) => console.log(`ok ${what}`);

const client = new ConfidentialClientApplication({ auth });
const app = await client.acquireTokenByClientCredential({ scopes: [`api://${API}/.default`] });
assert.equal(app.tokenType, 'Bearer');
done('client credentials');

const certified = new ConfidentialClientApplication({
  auth: { ...auth, clientSecret: undefined, clientCertificate: { thumbprintSha256: process.env.THUMBPRINT, privateKey: process.env.PRIVATE_KEY } },
});
assert.ok((await certified.acquireTokenByClientCredential({ scopes: [`api://${API}/.default`] })).accessToken);
done('certificate');

await assert.rejects(
  new ConfidentialClientApplication({ auth: { ...auth, clientSecret: 'guess' } }).acquireTokenByClientCredential({ scopes: [`api://${API}/.default`] }),
  (error) => error.errorCode === 'invalid_client' && error.message.includes('AADSTS7000215') && error.message.includes(error.correlationId),
);
done('wrong secret');

// The fake signs in the person that login_hint names. The response is in the header Location.
const redirectUri = 'http://localhost:8000/auth/callback';
async function signIn(scopes) {
  const address = await client.getAuthCodeUrl({ scopes, redirectUri, nonce: 'n', state: 's', loginHint: 'AdeleV@contoso.onmicrosoft.com' });
  const answer = await fetch(address.replace('response_mode=form_post', 'response_mode=query'), { redirect: 'manual' });
  return new URL(answer.headers.get('location')).searchParams.get('code');
}
const signedIn = await client.acquireTokenByCode({ code: await signIn(['User.Read']), scopes: ['User.Read'], redirectUri, nonce: 'n' });
assert.equal(signedIn.account.username, 'AdeleV@contoso.onmicrosoft.com');
done('authorization code');

const silent = await client.acquireTokenSilent({ account: signedIn.account, scopes: [`api://${API}/tool.read`] });
assert.deepEqual(silent.scopes, [`api://${API}/tool.read`]);
done('silent refresh for another resource');

const onBehalf = await new ConfidentialClientApplication({ auth: { ...auth, clientId: process.env.MIDDLE, clientSecret: 'middle' } })
  .acquireTokenOnBehalfOf({ oboAssertion: process.env.ASSERTION, scopes: ['User.Read'] });
assert.equal(onBehalf.account.username, 'AdeleV@contoso.onmicrosoft.com');
done('on behalf of');

const device = new PublicClientApplication({ auth: { ...auth, clientId: API, clientSecret: undefined } });
const byDevice = await device.acquireTokenByDeviceCode({
  scopes: ['User.Read'],
  deviceCodeCallback: async (code) => {
    const page = await fetch(`${AUTHORITY}/device`, { method: 'POST', body: new URLSearchParams({ user_code: code.userCode }) });
    assert.match(await page.text(), /You have signed in/);
  },
});
assert.equal(byDevice.account.username, 'AdeleV@contoso.onmicrosoft.com');
done('device code');

// The library listens on its own port. It accepts the response by POST only, as the page's form sends
// it.
const openBrowser = async (address) => {
  const page = await (await fetch(address)).text();
  const fields = [...page.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]);
  await fetch(page.match(/action="([^"]+)"/)[1], { method: 'POST', body: new URLSearchParams(fields) });
};
const interactive = await device.acquireTokenInteractive({ scopes: ['User.Read'], openBrowser });
assert.equal(interactive.account.username, 'AdeleV@contoso.onmicrosoft.com');
done('interactive, by form_post');

// An MCP client names the resource. Entra ID compares it with the API's identifier URI, character by
// character.
const mcp = new PublicClientApplication({ auth: { ...auth, clientId: API, clientSecret: undefined, isMcp: true } });
const forResource = await mcp.acquireTokenInteractive({ scopes: [`api://${API}/tool.read`], resource: `api://${API}`, openBrowser });
assert.deepEqual(forResource.scopes, [`api://${API}/tool.read`]);
done('resource');
await assert.rejects(
  mcp.acquireTokenInteractive({ scopes: [`api://${API}/tool.read`], resource: `api://${API}/`, openBrowser }),
  (error) => error.errorCode === 'invalid_target' && error.message.includes('AADSTS9010010'),
);
done('resource with a slash');

const byPassword = await new PublicClientApplication({ auth: { ...auth, clientId: API, clientSecret: undefined } })
  .acquireTokenByUsernamePassword({ scopes: ['User.Read'], username: 'AlexW@contoso.onmicrosoft.com', password: 'correct horse' });
assert.equal(byPassword.account.username, 'AlexW@contoso.onmicrosoft.com');
done('password');

const options = { authorityHost: AUTHORITY, disableInstanceDiscovery: true };
assert.ok((await new ClientSecretCredential(TENANT, CLIENT, SECRET, options).getToken('https://graph.microsoft.com/.default')).token);
done('@azure/identity client secret');
const obo = new OnBehalfOfCredential({ tenantId: TENANT, clientId: process.env.MIDDLE, clientSecret: 'middle', userAssertionToken: process.env.ASSERTION, ...options });
assert.ok((await obo.getToken('https://graph.microsoft.com/.default')).token);
done('@azure/identity on behalf of');
const federated = new ClientAssertionCredential(TENANT, CLIENT, async () => process.env.WORKLOAD, options);
assert.ok((await federated.getToken('https://graph.microsoft.com/.default')).token);
done('@azure/identity federated credential');
