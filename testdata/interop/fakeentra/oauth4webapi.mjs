// Runs oauth4webapi against a fake.
import assert from 'node:assert/strict';
import * as oauth from 'oauth4webapi';

const { AUTHORITY, TENANT, CLIENT, SECRET, API } = process.env;
const done = (what) => console.log(`ok ${what}`);
const issuer = new URL(`${AUTHORITY}/${TENANT}/v2.0`);
const client = { client_id: CLIENT };
const secret = oauth.ClientSecretPost(SECRET);
const redirect = 'http://localhost:8000/auth/callback';

const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer));
assert.equal(server.code_challenge_methods_supported, undefined);
await assert.rejects(
  oauth.discoveryRequest(issuer, { algorithm: 'oauth2' })
    .then((answer) => oauth.processDiscoveryResponse(issuer, answer)),
  'Entra ID has no document of RFC 8414',
);
done('discovery');

const verifier = oauth.generateRandomCodeVerifier();
const address = new URL(server.authorization_endpoint);
address.search = new URLSearchParams({
  client_id: CLIENT, redirect_uri: redirect, response_type: 'code', scope: 'openid profile offline_access User.Read',
  state: 's', nonce: 'n', max_age: '3600',
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
});
const answer = await fetch(address, { redirect: 'manual' });
const params = oauth.validateAuthResponse(server, client, new URL(answer.headers.get('location')), 's');
const exchanged = await oauth.authorizationCodeGrantRequest(server, client, secret, params, redirect, verifier);
const tokens = await oauth.processAuthorizationCodeResponse(server, client, exchanged, {
  expectedNonce: 'n', requireIdToken: true, maxAge: 3600,
});
const claims = oauth.getValidatedIdTokenClaims(tokens);
assert.equal(claims.name, 'Adele Vance');
done('authorization code with max_age');

const refreshed = await oauth.processRefreshTokenResponse(
  server, client, await oauth.refreshTokenGrantRequest(server, client, secret, tokens.refresh_token),
);
assert.ok(refreshed.access_token);
done('refresh');

const info = await oauth.processUserInfoResponse(
  server, client, claims.sub, await oauth.userInfoRequest(server, client, refreshed.access_token),
);
assert.equal(info.name, 'Adele Vance');
done('userinfo');

const scope = new URLSearchParams({ scope: `api://${API}/.default` });
const app = await oauth.processClientCredentialsResponse(
  server, client, await oauth.clientCredentialsGrantRequest(server, client, secret, scope),
);
assert.equal(app.token_type, 'bearer');
done('client credentials');

const refusal = await oauth.clientCredentialsGrantRequest(server, client, oauth.ClientSecretPost('wrong'), scope);
await assert.rejects(
  oauth.processClientCredentialsResponse(server, client, refusal),
  (error) => error.error === 'invalid_client' && error.cause.error_codes[0] === 7000215,
);
done('an error with its number');
