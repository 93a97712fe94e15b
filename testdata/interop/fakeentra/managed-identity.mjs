// Runs Azure Identity with managed identities against a fake: App Service by the environment.
import assert from 'node:assert/strict';
import { DefaultAzureCredential, ManagedIdentityCredential } from '@azure/identity';

const { API, IDENTITY } = process.env;
const scope = `api://${API}/.default`;
const done = (what) => console.log(`ok ${what}`);
const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

const byDefault = await new DefaultAzureCredential().getToken(scope);
assert.equal(claims(byDefault.token).azp, IDENTITY);
assert.ok(byDefault.expiresOnTimestamp > Date.now() + 23 * 3600 * 1000);
done('DefaultAzureCredential');

const bySystem = await new ManagedIdentityCredential().getToken(scope);
assert.equal(claims(bySystem.token).azp, IDENTITY);
done('system-assigned');

const byClientID = await new ManagedIdentityCredential({ clientId: IDENTITY }).getToken(scope);
assert.equal(claims(byClientID.token).azp, IDENTITY);
done('by client ID');

await assert.rejects(
  new ManagedIdentityCredential({ clientId: '5a1e0010-0000-4000-8000-00000000dead' }).getToken(scope),
  /No User Assigned or Delegated Managed Identity found|invalid|400/i,
);
done('an unknown identity');
