// A test in Node.js uses the fake through its admin API and fetch, as a Go test uses its methods. It
// prints a line for each step that worked.
import assert from 'node:assert/strict';
import http from 'node:http';

const { FAKE, ADMIN } = process.env;
const done = (what) => console.log(`ok ${what}`);

async function admin(method, path, body) {
  const response = await fetch(ADMIN + path, {
    method, headers: { 'Content-Type': 'application/json' }, body: method === 'GET' ? undefined : JSON.stringify(body ?? {}),
  });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

const about = await admin('GET', '/fake');
const tenant = about.tenants[0];
const client = tenant.apps[0].id;
const secret = (await admin('GET', '/directory')).tenants[0].apps[0].secrets[0];
assert.equal(about.authority, FAKE);
done('configuration of a client');

const tokenEndpoint = `${FAKE}/${tenant.id}/oauth2/v2.0/token`;
const post = (form) => fetch(tokenEndpoint, { method: 'POST', body: new URLSearchParams({ client_id: client, client_secret: secret, ...form }) });
const appToken = () => post({ grant_type: 'client_credentials', scope: 'https://graph.microsoft.com/.default' });

const minted = (await admin('POST', '/tokens', { kind: 'graph', user: 'AlexW@contoso.onmicrosoft.com' })).token;
const me = () => fetch(`${FAKE}/v1.0/me`, { headers: { Authorization: `Bearer ${minted}` } });
assert.equal((await (await me()).json()).displayName, 'Alex Wilber');
done('token without a sign-in');

const bad = await admin('POST', '/tokens/bad');
assert.ok(bad.length > 25 && bad.every((row) => row.name && row.why && row.token));
done('table of bad tokens');

await admin('POST', '/faults', [
  { on: 'token', status: 429, retryAfter: '60s' }, { on: 'token', nth: 2, aadsts: 50196 }, { on: 'token', nth: 3, drop: true },
]);
const throttled = await appToken();
assert.deepEqual([throttled.status, throttled.headers.get('retry-after')], [429, '60']);
assert.deepEqual((await (await appToken()).json()).error_codes, [50196]);
assert.equal((await admin('GET', '/faults/unused')).length, 1);
await assert.rejects(appToken());
assert.deepEqual(await admin('GET', '/faults/unused'), []);
assert.equal((await appToken()).status, 200);
done('faults in order, and all used');

// The program was started with --auto-sign-in, so a person signs in at once.
const redirect = 'http://localhost:8000/auth/callback';
async function code() {
  const query = new URLSearchParams({ client_id: client, response_type: 'code', redirect_uri: redirect, scope: 'openid offline_access User.Read' });
  const answer = await fetch(`${FAKE}/${tenant.id}/oauth2/v2.0/authorize?${query}`, { redirect: 'manual' });
  return new URL(answer.headers.get('location')).searchParams.get('code');
}
const redeem = (value) => post({ grant_type: 'authorization_code', code: value, redirect_uri: redirect });
const late = await code();
await admin('POST', '/clock', { advance: '11m' });
assert.deepEqual((await (await redeem(late)).json()).error_codes, [70008]);
done('a code expires when the clock is advanced');

const tokens = await (await redeem(await code())).json();
await admin('POST', '/sessions/revoke', { user: 'AdeleV@contoso.onmicrosoft.com' });
assert.deepEqual((await (await post({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token })).json()).error_codes, [50173]);
done('sessions are revoked');

await admin('DELETE', '/journal');
const waiting = admin('POST', '/journal/take', { endpoint: 'token', wait: '30s' });
await redeem(await code());
const taken = await waiting;
assert.equal(taken.client, client);
assert.match(taken.form.code[0], /^\[code \d+\]$/);
assert.ok(!JSON.stringify(taken).includes(secret));
const transcript = await (await fetch(`${ADMIN}/journal/transcript`)).text();
assert.match(transcript, /^1 GET .*\/authorize\n/);
done('the journal waits, and holds no secret');

const kid = async () => JSON.parse(Buffer.from((await admin('POST', '/tokens')).token.split('.')[0], 'base64url')).kid;
const before = await kid();
await admin('POST', '/keys/rotate');
const after = await kid();
assert.notEqual(before, after);
const { keys } = await (await fetch(`${FAKE}/${tenant.id}/discovery/v2.0/keys`)).json();
assert.ok(keys.some((key) => key.kid === after));
done('keys roll');

const directory = await admin('GET', '/directory');
directory.tenants[0].users.push({ userPrincipalName: 'node@contoso.onmicrosoft.com', displayName: 'Node' });
await admin('PUT', '/directory', directory);
assert.ok((await admin('GET', '/fake')).tenants[0].users.some((user) => user.name === 'node@contoso.onmicrosoft.com'));
done('the directory changes');

await admin('PUT', '/chaos', { share: 1, seed: 7, faults: [{ status: 503 }] });
assert.equal((await appToken()).status, 503);
await admin('POST', '/reset');
assert.equal((await appToken()).status, 200);
assert.equal(await kid(), before);
done('chaos, and a reset');

// The API refuses requests that a web page could send.
const raw = (headers) => new Promise((resolve, reject) => {
  const { hostname, port } = new URL(ADMIN);
  http.request({ hostname, port, method: 'POST', path: '/reset', headers }, (answer) => { answer.resume(); resolve(answer.statusCode); }).on('error', reject).end('{}');
});
assert.equal(await raw({ Host: 'evil.example', 'Content-Type': 'application/json' }), 421);
assert.equal(await raw({ Origin: 'https://evil.example', 'Content-Type': 'application/json' }), 403);
assert.equal(await raw({ 'Content-Type': 'text/plain' }), 415);
done('web pages are refused');
