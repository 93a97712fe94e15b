package broker_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
)

// A keyHolder is a client that authenticates with private_key_jwt.
type keyHolder struct {
	t      *testing.T
	id     string
	issuer string
	signer crypto.Signer
	kid    string
	used   int
}

func newP256(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

// jwksOf returns the JWKS of public keys, whose IDs count from zero.
func jwksOf(t *testing.T, keys ...crypto.Signer) string {
	t.Helper()
	var set jose.JSONWebKeySet
	for i, key := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: fmt.Sprint(i)})
	}
	text, err := json.Marshal(set)
	require.NoError(t, err)
	return string(text)
}

// newKeyHolder registers a client with a key.
func (e *env) newKeyHolder(key crypto.Signer) *keyHolder {
	made, status := e.register(`{"redirect_uris":["` + loopback + `"],"token_endpoint_auth_method":"private_key_jwt",` +
		`"jwks":` + jwksOf(e.t, key) + `}`)
	require.Equal(e.t, http.StatusCreated, status, made.Error)
	assert.Empty(e.t, made.Secret)
	return &keyHolder{t: e.t, id: made.ID, issuer: e.origin, signer: key, kid: "0"}
}

type claims = map[string]any

// assertion returns a good assertion with changed claims. A nil value removes a claim.
func (k *keyHolder) assertion(change claims) string {
	k.used++
	all := claims{
		"iss": k.id,
		"sub": k.id,
		"aud": k.issuer,
		"exp": started.Add(2 * time.Minute).Unix(),
		"jti": fmt.Sprintf("%s-%d", k.id, k.used),
	}
	for name, value := range change {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	return k.signed(jose.ES256, k.signer, all, nil)
}

func (k *keyHolder) signed(algorithm jose.SignatureAlgorithm, key any, all claims, header claims) string {
	options := &jose.SignerOptions{}
	if k.kid != "" {
		options.WithHeader("kid", k.kid)
	}
	for name, value := range header {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	require.NoError(k.t, err)
	text, err := json.Marshal(all)
	require.NoError(k.t, err)
	jws, err := signer.Sign(text)
	require.NoError(k.t, err)
	raw, err := jws.CompactSerialize()
	require.NoError(k.t, err)
	return raw
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// authenticates reports whether the token endpoint accepts an assertion. The refresh token is
// unknown, so the answer is about it if the client is accepted.
func (e *env) authenticates(assertion string, change ...string) bool {
	form := url.Values{
		"grant_type":            {"refresh_token"},
		"refresh_token":         {"unknown"},
		"client_assertion_type": {assertionType},
		"client_assertion":      {assertion},
	}
	for i := 0; i < len(change); i += 2 {
		form.Set(change[i], change[i+1])
	}
	got, status := e.token(form)
	if got.Error == "invalid_grant" {
		return true
	}
	assert.Contains(e.t, []int{400, 401, 429}, status, got.Error)
	return false
}

func TestClientSignsInWithPrivateKey(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	k := e.newKeyHolder(newP256(t))
	c := registered{ID: k.id}
	form := redemption(c, e.code(c, e.browser()).Get("code"))
	got, status := e.token(form)
	assert.Equal(t, http.StatusUnauthorized, status, "no assertion")
	assert.Equal(t, "invalid_client", got.Error)
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", k.assertion(nil))
	got, status = e.token(form)
	require.Equal(t, http.StatusOK, status, got.Error)

	form = refreshing(c, got.Refresh)
	form.Del("client_id") // the assertion names the client
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", k.assertion(nil))
	got, status = e.token(form)
	require.Equal(t, http.StatusOK, status, got.Error)

	form = url.Values{"token": {got.Refresh}, "client_assertion_type": {assertionType}}
	form.Set("client_assertion", k.assertion(nil))
	assert.Equal(t, http.StatusOK, e.browser().post(e.origin+"/revoke", form).status)
	assert.False(t, e.good(got.Access))
}

func TestAssertionsThatAreRefused(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	key := newP256(t)
	k := e.newKeyHolder(key)
	other := e.newKeyHolder(newP256(t))
	at := func(after time.Duration) int64 { return started.Add(after).Unix() }
	for name, change := range map[string]claims{
		"foreign iss":      {"iss": other.id},
		"foreign sub":      {"sub": other.id},
		"no sub":           {"sub": nil},
		"token endpoint":   {"aud": e.origin + "/token"},
		"another server":   {"aud": "https://other.example"},
		"two audiences":    {"aud": []string{e.origin, "https://other.example"}},
		"same value twice": {"aud": []string{e.origin, e.origin}},
		"slash at the end": {"aud": e.origin + "/"},
		"no audience":      {"aud": nil},
		"no exp":           {"exp": nil},
		"expired":          {"exp": at(-2 * time.Minute)},
		"far expiry":       {"exp": at(time.Hour)},
		"text as expiry":   {"exp": "4102444800"},
		"not yet":          {"nbf": at(5 * time.Minute)},
		"issued later":     {"iat": at(5 * time.Minute)},
		"no jti":           {"jti": nil},
		"empty jti":        {"jti": ""},
		"long jti":         {"jti": strings.Repeat("a", 600)},
		"bound to a key":   {"cnf": claims{"jkt": "x"}},
	} {
		assert.False(t, e.authenticates(k.assertion(change), "client_id", k.id), name)
	}
	e.later(0)
	assert.True(t, e.authenticates(k.assertion(claims{"aud": []string{e.origin}})), "an array of one")
	good := claims{"iss": k.id, "sub": k.id, "aud": e.origin, "exp": at(time.Minute), "jti": "a"}
	foreign := newP256(t)
	publicPEM := []byte(jwksOf(t, key))
	for name, raw := range map[string]string{
		"foreign key":  k.signed(jose.ES256, foreign, good, nil),
		"HS256":        k.signed(jose.HS256, publicPEM, good, nil),
		"own jwk":      k.signed(jose.ES256, foreign, good, claims{"jwk": jose.JSONWebKey{Key: foreign.Public()}}),
		"jku":          k.signed(jose.ES256, key, good, claims{"jku": "https://evil.example/jwks"}),
		"another type": k.signed(jose.ES256, key, good, claims{"typ": "at+jwt"}),
		"none":         b64url(`{"alg":"none"}`) + "." + strings.Split(k.assertion(nil), ".")[1] + ".",
		"no JWT":       "x",
	} {
		assert.False(t, e.authenticates(raw, "client_id", k.id), name)
	}
	assert.False(t, e.authenticates(k.assertion(nil), "client_id", other.id), "another client's ID")
	assert.False(t, e.authenticates(k.assertion(nil), "client_secret", "x"), "two methods")
	assert.False(t, e.authenticates(k.assertion(nil), "client_assertion_type", "jwt-bearer"))
	public := e.public()
	assert.False(t, e.authenticates(k.assertion(claims{"iss": public.ID, "sub": public.ID}), "client_id", public.ID))
	assert.True(t, e.authenticates(k.assertion(nil)), "after many wrong ones, and without client_id")
}

func b64url(text string) string {
	return strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(b64(text)), "=")
}

// TestAssertionCountsOnce presents an assertion at two replicas.
func TestAssertionCountsOnce(t *testing.T) {
	t.Parallel()
	keys, err := broker.NewKeys(rand.Reader)
	require.NoError(t, err)
	log := &logText{}
	o := options{store: newMemory(), keys: keys, log: log}
	e := newEnv(t, o)
	k := e.newKeyHolder(newP256(t))
	once := k.assertion(nil)
	assert.True(t, e.authenticates(once))
	assert.False(t, e.authenticates(once))
	e.broker = e.start(o)
	assert.False(t, e.authenticates(once), "another replica")
	assert.True(t, e.authenticates(k.assertion(nil)))
	assert.Contains(t, log.String(), "used before")
	again := e.newKeyHolder(newP256(t))
	assert.True(t, e.authenticates(again.assertion(claims{"jti": k.id + "-1"})), "the ID of another client's assertion")
}

func TestAlgorithmsOfAssertions(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	k := e.newKeyHolder(key)
	for i, algorithm := range []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.RS512, jose.PS384} {
		good := claims{
			"iss": k.id,
			"sub": k.id,
			"aud": e.origin,
			"exp": started.Add(time.Minute).Unix(),
			"jti": fmt.Sprint(i),
		}
		raw := k.signed(algorithm, key, good, claims{"typ": "client-authentication+jwt"})
		assert.Equal(t, i < 2, e.authenticates(raw), algorithm)
	}
	ec := e.newKeyHolder(newP256(t))
	ec.kid = ""
	assert.True(t, e.authenticates(ec.assertion(nil)), "no key ID")
	ec.kid = "unknown"
	assert.False(t, e.authenticates(ec.assertion(nil)))

	document := e.browser().get(e.origin + "/.well-known/oauth-authorization-server")
	for _, member := range []string{
		"token_endpoint_auth_signing_alg_values_supported", "revocation_endpoint_auth_signing_alg_values_supported",
	} {
		assert.Contains(t, document.body, `"`+member+`":["ES256","PS256","RS256"]`)
	}
}

func TestTokenEndpointAsAudienceIsSetting(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{clients: broker.ClientPolicy{TokenEndpointAudience: true}})
	k := e.newKeyHolder(newP256(t))
	assert.True(t, e.authenticates(k.assertion(claims{"aud": e.origin + "/token"})))
	assert.True(t, e.authenticates(k.assertion(nil)))
	assert.False(t, e.authenticates(k.assertion(claims{"aud": e.origin + "/revoke"})))
}

func TestKeysThatCannotBeRegistered(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	key := newP256(t)
	private, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: "0"})
	require.NoError(t, err)
	weak, err := json.Marshal(jose.JSONWebKey{Key: weakKey(t), KeyID: "0"})
	require.NoError(t, err)
	good := jwksOf(t, key)
	for name, members := range map[string]string{
		"none":           ``,
		"both":           `,"jwks":` + good + `,"jwks_uri":"https://a.example/jwks"`,
		"private":        `,"jwks":{"keys":[` + string(private) + `]}`,
		"symmetric":      `,"jwks":{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`,
		"weak":           `,"jwks":{"keys":[` + string(weak) + `]}`,
		"empty":          `,"jwks":{"keys":[]}`,
		"encryption":     `,"jwks":` + strings.Replace(good, `"kty"`, `"use":"enc","kty"`, 1),
		"not a set":      `,"jwks":[]`,
		"http":           `,"jwks_uri":"http://a.example/jwks"`,
		"algorithm":      `,"jwks":` + good + `,"token_endpoint_auth_signing_alg":"HS256"`,
		"one bad of two": `,"jwks":{"keys":[` + string(private) + `,` + strings.TrimSuffix(good[9:], "]}") + `]}`,
	} {
		got, status := e.register(`{"redirect_uris":["` + loopback + `"],` +
			`"token_endpoint_auth_method":"private_key_jwt"` + members + `}`)
		assert.Equal(t, http.StatusBadRequest, status, name)
		assert.Equal(t, "invalid_client_metadata", got.Error, name)
	}
}

// weakKey returns the public half of a key of 1024 bits.
func weakKey(t *testing.T) *rsa.PublicKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	weak := *key.N
	weak.Rsh(&weak, 1024).SetBit(&weak, 0, 1)
	return &rsa.PublicKey{N: &weak, E: key.E}
}

// TestWrongAssertionsLockNoOneOut sends more wrong assertions than are counted.
func TestWrongAssertionsLockNoOneOut(t *testing.T) {
	t.Parallel()
	log := &logText{}
	e := newEnv(t, options{log: log})
	k := e.newKeyHolder(newP256(t))
	for range 15 {
		assert.False(t, e.authenticates(k.assertion(claims{"aud": "https://other.example"})))
	}
	assert.Contains(t, log.String(), "too many wrong credentials")
	assert.Contains(t, log.String(), "AUTH_ASSERTION_AUDIENCE")
	assert.True(t, e.authenticates(k.assertion(nil)))
}

// TestPreregisteredClientHasKey checks the operator's file.
func TestPreregisteredClientHasKey(t *testing.T) {
	t.Parallel()
	key := newP256(t)
	entry := `{"client_id":"k","redirect_uris":["` + appURI + `"],"token_endpoint_auth_method":"private_key_jwt",` +
		`"jwks":` + jwksOf(t, key) + `}`
	file := newClientsFile(t, entry)
	e := newEnv(t, options{clients: broker.ClientPolicy{File: file.name}})
	k := &keyHolder{t: t, id: "k", issuer: e.origin, signer: key, kid: "0"}
	assert.True(t, e.authenticates(k.assertion(nil)))
	assert.False(t, e.authenticates(k.assertion(claims{"jti": nil})))
	for _, change := range []string{
		strings.Replace(entry, "private_key_jwt", "none", 1),
		strings.Replace(entry, `"jwks"`, `"jwks_uri":"https://a.example/","jwks"`, 1),
		`{"client_id":"k","redirect_uris":["` + appURI + `"],"token_endpoint_auth_method":"private_key_jwt"}`,
	} {
		file.write(change)
		_, err := e.tryStart(options{clients: broker.ClientPolicy{File: file.name}})
		require.ErrorContains(t, err, "jwks", change)
	}
}

// TestKeysOfDocumentAreFetched has a client document that names the URL of its keys.
func TestKeysOfDocumentAreFetched(t *testing.T) {
	t.Parallel()
	site := newDocumentSite(t)
	e := newEnv(t, options{clients: broker.ClientPolicy{Documents: site.policy}})
	key := newP256(t)
	publish := func(text string) {
		var set map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &set))
		site.set("keys", set["keys"])
	}
	publish(jwksOf(t, key))
	site.set("token_endpoint_auth_method", "private_key_jwt")
	site.set("jwks_uri", "https://keys.example.com/jwks")
	site.control = "max-age=86400"
	k := &keyHolder{t: t, id: documentURL, issuer: e.origin, signer: key, kid: "0"}
	assert.True(t, e.authenticates(k.assertion(nil)))
	assert.Equal(t, 2, site.requests(), "the document and its keys")

	next := newP256(t)
	publish(jwksOf(t, key, next))
	k.signer = next
	k.kid = "1"
	assert.True(t, e.authenticates(k.assertion(nil)), "an unknown key is a reason to ask again")
	k.kid = "2"
	for range 3 {
		assert.False(t, e.authenticates(k.assertion(nil)))
	}
	assert.Equal(t, 3, site.requests(), "but at most once a minute")
	e.later(time.Minute)
	assert.False(t, e.authenticates(k.assertion(claims{"exp": started.Add(3 * time.Minute).Unix()})))
	assert.Equal(t, 4, site.requests())

	inside := newEnv(t, options{clients: broker.ClientPolicy{Documents: broker.DocumentPolicy{Off: true}}})
	got, status := inside.register(`{"redirect_uris":["` + loopback + `"],` +
		`"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"https://keys.example.com/jwks"}`)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "invalid_client_metadata", got.Error)
}

// TestKeysAreNotFetchedInside has a jwks_uri on a private address.
func TestKeysAreNotFetchedInside(t *testing.T) {
	t.Parallel()
	log := &logText{}
	e := newEnv(t, options{log: log})
	made, status := e.register(`{"redirect_uris":["` + loopback + `"],` +
		`"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"https://127.0.0.1:9/jwks"}`)
	require.Equal(t, http.StatusCreated, status)
	k := &keyHolder{t: t, id: made.ID, issuer: e.origin, signer: newP256(t), kid: "0"}
	assert.False(t, e.authenticates(k.assertion(nil)))
	assert.Contains(t, log.String(), "keys of the client cannot be used")
}
