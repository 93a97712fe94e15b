// Gets a token from fakeentra, and checks who issued it. Start fakeentra first.
const fake = process.env.FAKE ?? 'http://localhost:8400';
const tenant = '5a1e0001-0000-4000-8000-000000000001';
const discovery = await (await fetch(`${fake}/${tenant}/v2.0/.well-known/openid-configuration`)).json();
const answer = await fetch(discovery.token_endpoint, { method: 'POST', body: new URLSearchParams({
  grant_type: 'client_credentials',
  client_id: '5a1e0002-0000-4000-8000-000000000001',
  client_secret: 'fake-secret-of-the-fake-tenant',
  scope: 'api://5a1e0003-0000-4000-8000-000000000001/.default',
}) });
const { access_token: token } = await answer.json();
const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
console.log(claims.azp, 'got a token for', claims.aud, claims.iss === discovery.issuer);
