// Runs @microsoft/microsoft-graph-client against a fake over TLS, with the token of an app. Prints a
// line for each step that worked.
import assert from 'node:assert/strict';
import { ClientSecretCredential } from '@azure/identity';
import { BatchRequestContent, BatchResponseContent, Client, PageIterator } from '@microsoft/microsoft-graph-client';

const { AUTHORITY, TENANT, CLIENT, SECRET } = process.env;
const done = (what) => console.log(`ok ${what}`);

const credential = new ClientSecretCredential(TENANT, CLIENT, SECRET, {
  authorityHost: AUTHORITY, disableInstanceDiscovery: true,
});
const graph = Client.init({
  baseUrl: AUTHORITY,
  customHosts: new Set([new URL(AUTHORITY).hostname]),
  authProvider: async (answer) => {
    try {
      answer(null, (await credential.getToken('https://graph.microsoft.com/.default')).token);
    } catch (error) {
      answer(error, null);
    }
  },
});

const first = await graph.api('/groups').select('displayName').get();
assert.ok(first['@odata.nextLink'], 'there is a second page');
const names = [];
await new PageIterator(graph, first, (group) => names.push(group.displayName)).iterate();
assert.equal(names.length, 5);
assert.equal(new Set(names).size, 5);
assert.ok(first.value.length < 5);
done('groups over several pages');

const found = await graph.api('/users').filter("startswith(displayName,'Adele')").get();
assert.equal(found.value.length, 1);
done('filter');

const counted = await graph.api('/groups').header('ConsistencyLevel', 'eventual').count(true).top(1).get();
assert.equal(counted['@odata.count'], 5);
done('count');

await assert.rejects(graph.api('/organization').get(), { statusCode: 403, code: 'Authorization_RequestDenied' });
done('refusal');

const user = { id: '1', request: new Request(`${AUTHORITY}/users?$top=1`, { method: 'GET' }) };
const group = { id: '2', request: new Request(`${AUTHORITY}/groups?$top=1`, { method: 'GET' }), dependsOn: ['1'] };
const batch = new BatchRequestContent([user, group]);
const answers = new BatchResponseContent(await graph.api('/$batch').post(await batch.getContent()));
assert.equal(answers.getResponseById('1').status, 200);
assert.equal((await answers.getResponseById('2').json()).value.length, 1);
done('batch');
