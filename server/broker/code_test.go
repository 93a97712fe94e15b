package broker_test

import (
	"maps"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCodeIsRedeemedOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	other := e.public()
	b := e.browser()
	code := e.code(c, b).Get("code")
	refuses := func(change ...string) {
		form := redemption(c, code)
		for i := 0; i < len(change); i += 2 {
			form.Set(change[i], change[i+1])
		}
		got, status := e.token(form)
		assert.GreaterOrEqual(t, status, 400, change)
		assert.Empty(t, got.Access)
	}
	refuses("code_verifier", "")
	refuses("code_verifier", strings.Repeat("x", 43))
	refuses("code_verifier", verifier+"\n")
	refuses("client_id", other.ID)
	refuses("redirect_uri", "http://127.0.0.1:5555/other")
	refuses("resource", "https://other.example")
	refuses("code", "junk")
	got, status := e.token(redemption(c, code))
	require.Equal(t, 200, status, "the refusals have not used up the code: %s", got.Error)

	wrong := redemption(c, code)
	wrong.Set("code_verifier", strings.Repeat("x", 43))
	e.token(wrong)
	assert.True(t, e.good(got.Access), "a replay with a wrong verifier ends nothing")
	again, status := e.token(redemption(c, code))
	assert.Equal(t, 400, status)
	assert.Equal(t, "invalid_grant", again.Error)
	assert.False(t, e.good(got.Access), "a correct replay ends the grant")
	_, status = e.token(refreshing(c, got.Refresh))
	assert.Equal(t, 400, status)

	late := e.code(c, b, "prompt", "consent").Get("code")
	e.later(61 * time.Second)
	_, status = e.token(redemption(c, late))
	assert.Equal(t, 400, status, "too late")
}

func TestCodeHasOneWinner(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	code := e.code(c, e.browser()).Get("code")
	var won atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if _, status := e.token(redemption(c, code)); status == 200 {
				won.Add(1)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 1, won.Load())
}

func TestSecretCountsInBothPlaces(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	for _, method := range []string{"client_secret_basic", "client_secret_post"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			c, _ := e.register(`{"redirect_uris":["` + loopback + `"],"token_endpoint_auth_method":"` + method + `"}`)
			form := redemption(c, e.code(c, e.browser()).Get("code"))
			inBody := func(secret string) url.Values {
				copied := maps.Clone(form)
				copied["client_secret"] = []string{secret}
				return copied
			}
			for _, test := range []struct {
				name   string
				form   url.Values
				basic  string
				status int
				code   string
			}{
				{"no secret", form, "", 401, "invalid_client"},
				{"a wrong secret in the body", inBody("wrong"), "", 401, "invalid_client"},
				{"a wrong secret in the header", form, basic(c.ID, "wrong"), 401, "invalid_client"},
				{"an empty secret in the header", form, basic(c.ID, ""), 401, "invalid_client"},
				{"both", inBody(c.Secret), basic(c.ID, c.Secret), 400, "invalid_request"},
				{"both, and one is wrong", inBody("wrong"), basic(c.ID, c.Secret), 400, "invalid_request"},
				{"the body and a broken header", inBody(c.Secret), "Basic !", 401, "invalid_client"},
				{"the body and an empty header", inBody(c.Secret), "basic", 401, "invalid_client"},
				{"the header of another client", form, basic("other", c.Secret), 400, "invalid_request"},
				{"a header without an ID", form, basic("", c.Secret), 400, "invalid_request"},
				{"a secret that is not encoded", form, "Basic " + b64(c.ID+":%"), 401, "invalid_client"},
			} {
				var headers []string
				if test.basic != "" {
					headers = []string{"Authorization", test.basic}
				}
				got, status := e.token(test.form, headers...)
				assert.Equal(t, test.status, status, test.name)
				assert.Equal(t, test.code, got.Error, test.name)
			}
			got, status := e.token(inBody(c.Secret))
			require.Equal(t, 200, status, "in the body")
			form = refreshing(c, got.Refresh)
			_, status = e.token(form, "Authorization", basic(c.ID, c.Secret))
			assert.Equal(t, 200, status, "in the header")
			form = url.Values{"token": {got.Access}}
			a := e.browser().post(e.origin+"/revoke", inBody("wrong"), "Authorization", basic(c.ID, c.Secret))
			assert.Equal(t, 400, a.status)
			a = e.browser().post(e.origin+"/revoke", form, "Authorization", basic(c.ID, c.Secret))
			assert.Equal(t, 200, a.status)
			assert.False(t, e.good(got.Access))
		})
	}
	open := e.public()
	form := redemption(open, e.code(open, e.browser()).Get("code"))
	_, status := e.token(form, "Authorization", basic(open.ID, "secret"))
	assert.Equal(t, 401, status, "a client without a secret has none to send")
	_, status = e.token(form, "Authorization", basic(open.ID, ""))
	assert.Equal(t, 200, status, "an empty secret counts as no secret")
}

func TestGuessesAreSlowedDown(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	secretive, _ := e.register(
		`{"redirect_uris":["` + loopback + `"],"token_endpoint_auth_method":"client_secret_post"}`,
	)
	guess := func(c registered) int {
		form := refreshing(c, "x")
		form.Set("client_secret", "guess")
		_, status := e.token(form)
		return status
	}
	for range 10 {
		assert.Equal(t, 401, guess(secretive))
	}
	assert.Equal(t, 429, guess(secretive))
	right := redemption(secretive, e.code(secretive, e.browser()).Get("code"))
	right.Set("client_secret", secretive.Secret)
	_, status := e.token(right)
	assert.Equal(t, 200, status, "guesses never lock the right secret out")
	assert.Equal(t, 429, guess(secretive))
	e.later(time.Minute)
	assert.Equal(t, 401, guess(secretive))

	open := e.public()
	code := e.code(open, e.browser()).Get("code")
	for range 20 {
		guess(open)
	}
	_, status = e.token(redemption(open, code))
	assert.Equal(t, 200, status, "a client without a secret cannot be locked out by guesses")
}

func TestTokenEndpointRefuses(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	for _, test := range []struct{ grantType, code string }{
		{"password", "unsupported_grant_type"},
		{"client_credentials", "unsupported_grant_type"},
		{"", "invalid_request"},
		{"made:up", "unsupported_grant_type"},
	} {
		got, status := e.token(url.Values{"grant_type": {test.grantType}, "client_id": {c.ID}})
		assert.Equal(t, 400, status)
		assert.Equal(t, test.code, got.Error)
	}
	got, status := e.token(
		url.Values{"grant_type": {"refresh_token"}, "client_id": {c.ID}},
		"Content-Type",
		"application/json",
	)
	assert.Equal(t, 400, status, got.Error)
	got, status = e.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {c.ID, c.ID}})
	assert.Equal(t, 400, status)
	assert.Equal(t, "invalid_request", got.Error, "a parameter twice")
	_, status = e.token(url.Values{"grant_type": {strings.Repeat("x", 1<<20)}})
	assert.Equal(t, 413, status)
	assert.Equal(t, 405, e.browser().get(e.origin+"/token?grant_type=refresh_token").status)
}
