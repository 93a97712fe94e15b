// Runs MSAL against a fake of External ID, whose issuer is at another host than its endpoints.
import assert from 'node:assert/strict';
import * as msal from '@azure/msal-node';

const { AUTHORITY, TENANT, CLIENT, SECRET, API } = process.env;
const host = new URL(AUTHORITY).host;

for (const knownAuthorities of [[host], [host, `${TENANT}.ciamlogin.com`]]) {
  const client = new msal.ConfidentialClientApplication({
    auth: { clientId: CLIENT, clientSecret: SECRET, authority: `${AUTHORITY}/${TENANT}`, knownAuthorities },
  });
  const result = await client.acquireTokenByClientCredential({ scopes: [`api://${API}/.default`] });
  const claims = JSON.parse(Buffer.from(result.accessToken.split('.')[1], 'base64url'));
  assert.equal(claims.iss, `https://${TENANT}.ciamlogin.com/${TENANT}/v2.0`);
  console.log(`ok with ${knownAuthorities.length} known authorities`);
}
