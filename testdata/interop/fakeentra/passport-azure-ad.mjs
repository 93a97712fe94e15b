// Runs the bearer strategy of passport-azure-ad against a fake: an API that checks tokens.
import assert from 'node:assert/strict';
import passportAzure from 'passport-azure-ad';

const { AUTHORITY, TENANT, CLIENT, SECRET, API, ASSERTION } = process.env;
const done = (what) => console.log(`ok ${what}`);
const strategy = (audience, extra) => new passportAzure.BearerStrategy({
  identityMetadata: `${AUTHORITY}/${TENANT}/v2.0/.well-known/openid-configuration`,
  clientID: audience, audience: [audience, `api://${audience}`], validateIssuer: true, loggingLevel: 'error', ...extra,
}, (claims, finish) => finish(null, claims, claims));

// judge returns the claims of a token, or the reason of a refusal.
const judge = (wanted, token) => new Promise((resolve, reject) => {
  const attempt = Object.create(wanted);
  Object.assign(attempt, {
    success: (claims) => resolve({ claims }), fail: (reason) => resolve({ reason: String(reason) }), error: reject,
  });
  attempt.authenticate({ headers: { authorization: `Bearer ${token}` }, query: {}, body: {} }, {});
});

const answer = await fetch(`${AUTHORITY}/${TENANT}/oauth2/v2.0/token`, {
  method: 'POST',
  body: new URLSearchParams({
    grant_type: 'client_credentials', client_id: CLIENT, client_secret: SECRET, scope: `api://${API}/.default`,
  }),
});
const { access_token: token } = await answer.json();
const accepted = await judge(strategy(API), token);
assert.equal(accepted.claims?.azp, CLIENT, accepted.reason);
done('a token for the API');

const person = await judge(strategy(process.env.MIDDLE), ASSERTION);
assert.equal(person.claims?.name, 'Adele Vance', person.reason);
done('a token for a person');

const elsewhere = await judge(strategy(CLIENT), token);
assert.match(elsewhere.reason, /cannot verify token/);
done('a token for another API');

const damaged = await judge(strategy(API), token.slice(0, -8) + 'AAAAAAAA');
assert.match(damaged.reason, /cannot verify token/);
done('a damaged token');
