package broker_test

import (
	"encoding/base64"
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

func TestCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	other := w.public()
	b := w.browser()
	code := w.code(c, b).Get("code")
	refuse := func(change ...string) {
		form := redemption(c, code)
		for i := 0; i < len(change); i += 2 {
			form.Set(change[i], change[i+1])
		}
		got, status := w.token(form)
		assert.GreaterOrEqual(t, status, 400, change)
		assert.Empty(t, got.Access)
	}
	refuse("code_verifier", "")
	refuse("code_verifier", strings.Repeat("x", 43))
	refuse("code_verifier", verifier+"\n")
	refuse("client_id", other.ID)
	refuse("redirect_uri", "http://127.0.0.1:5555/other")
	refuse("resource", "https://other.example")
	refuse("code", "junk")
	got, status := w.token(redemption(c, code))
	require.Equal(t, 200, status, "none of that spent the code: %s", got.Error)

	bad := redemption(c, code)
	bad.Set("code_verifier", strings.Repeat("x", 43))
	w.token(bad)
	assert.True(t, w.good(got.Access), "a replay that is wrong ends nothing")
	again, status := w.token(redemption(c, code))
	assert.Equal(t, 400, status)
	assert.Equal(t, "invalid_grant", again.Error)
	assert.False(t, w.good(got.Access), "a replay that is right ends the grant")
	_, status = w.token(refreshing(c, got.Refresh))
	assert.Equal(t, 400, status)

	late := w.code(c, b, "prompt", "consent").Get("code")
	w.later(61 * time.Second)
	_, status = w.token(redemption(c, late))
	assert.Equal(t, 400, status, "too late")
}

func TestCodeHasOneWinner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	code := w.code(c, w.browser()).Get("code")
	var won atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if _, status := w.token(redemption(c, code)); status == 200 {
				won.Add(1)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 1, won.Load())
}

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestASecretCountsInBothPlaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for _, method := range []string{"client_secret_basic", "client_secret_post"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			c, _ := w.register(`{"redirect_uris":["` + loopback + `"],"token_endpoint_auth_method":"` + method + `"}`)
			form := redemption(c, w.code(c, w.browser()).Get("code"))
			inBody := func(secret string) url.Values {
				copied := maps.Clone(form)
				copied["client_secret"] = []string{secret}
				return copied
			}
			for name, test := range map[string]struct {
				form   url.Values
				basic  string
				status int
				code   string
			}{
				"no secret":                    {form, "", 401, "invalid_client"},
				"a wrong one in the body":      {inBody("wrong"), "", 401, "invalid_client"},
				"a wrong one in the header":    {form, basic(c.ID, "wrong"), 401, "invalid_client"},
				"an empty one in the header":   {form, basic(c.ID, ""), 401, "invalid_client"},
				"both":                         {inBody(c.Secret), basic(c.ID, c.Secret), 400, "invalid_request"},
				"both, and one is wrong":       {inBody("wrong"), basic(c.ID, c.Secret), 400, "invalid_request"},
				"the body and a broken header": {inBody(c.Secret), "Basic !", 401, "invalid_client"},
				"the body and an empty header": {inBody(c.Secret), "basic", 401, "invalid_client"},
				"the header of another client": {form, basic("other", c.Secret), 400, "invalid_request"},
				"a header without an ID":       {form, basic("", c.Secret), 400, "invalid_request"},
				"a secret that is not encoded": {form, "Basic " + b64(c.ID+":%"), 401, "invalid_client"},
			} {
				var headers []string
				if test.basic != "" {
					headers = []string{"Authorization", test.basic}
				}
				got, status := w.token(test.form, headers...)
				assert.Equal(t, test.status, status, name)
				assert.Equal(t, test.code, got.Error, name)
			}
			got, status := w.token(inBody(c.Secret))
			require.Equal(t, 200, status, "in the body")
			form = refreshing(c, got.Refresh)
			_, status = w.token(form, "Authorization", basic(c.ID, c.Secret))
			assert.Equal(t, 200, status, "in the header")
			form = url.Values{"token": {got.Access}}
			a := w.browser().post(w.origin+"/revoke", inBody("wrong"), "Authorization", basic(c.ID, c.Secret))
			assert.Equal(t, 400, a.status)
			a = w.browser().post(w.origin+"/revoke", form, "Authorization", basic(c.ID, c.Secret))
			assert.Equal(t, 200, a.status)
			assert.False(t, w.good(got.Access))
		})
	}
	open := w.public()
	form := redemption(open, w.code(open, w.browser()).Get("code"))
	_, status := w.token(form, "Authorization", basic(open.ID, "secret"))
	assert.Equal(t, 401, status, "a client without a secret has none to send")
	_, status = w.token(form)
	assert.Equal(t, 200, status)
}

func TestGuessesAreSlowedDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	secretive, _ := w.register(
		`{"redirect_uris":["` + loopback + `"],"token_endpoint_auth_method":"client_secret_post"}`,
	)
	guess := func() int {
		_, status := w.token(
			url.Values{
				"grant_type":    {"refresh_token"},
				"client_id":     {secretive.ID},
				"client_secret": {"guess"},
				"refresh_token": {"x"},
			},
		)
		return status
	}
	for range 10 {
		assert.Equal(t, 401, guess())
	}
	assert.Equal(t, 429, guess())
	right := redemption(secretive, w.code(secretive, w.browser()).Get("code"))
	right.Set("client_secret", secretive.Secret)
	_, status := w.token(right)
	assert.Equal(t, 200, status, "guesses never lock the right secret out")
	assert.Equal(t, 429, guess())
	w.later(time.Minute)
	assert.Equal(t, 401, guess())

	open := w.public()
	code := w.code(open, w.browser()).Get("code")
	for range 20 {
		w.token(
			url.Values{
				"grant_type":    {"refresh_token"},
				"client_id":     {open.ID},
				"client_secret": {"guess"},
				"refresh_token": {"x"},
			},
		)
	}
	_, status = w.token(redemption(open, code))
	assert.Equal(t, 200, status, "a client without a secret cannot be locked out by guesses")
}

func TestTokenRequestsThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	for grant, code := range map[string]string{
		"password":           "unsupported_grant_type",
		"client_credentials": "unsupported_grant_type",
		"":                   "invalid_request",
		"made:up":            "unsupported_grant_type",
	} {
		got, status := w.token(url.Values{"grant_type": {grant}, "client_id": {c.ID}})
		assert.Equal(t, 400, status)
		assert.Equal(t, code, got.Error)
	}
	got, status := w.token(
		url.Values{"grant_type": {"refresh_token"}, "client_id": {c.ID}},
		"Content-Type",
		"application/json",
	)
	assert.Equal(t, 400, status, got.Error)
	got, status = w.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {c.ID, c.ID}})
	assert.Equal(t, 400, status)
	assert.Equal(t, "invalid_request", got.Error, "a parameter twice")
	_, status = w.token(url.Values{"grant_type": {strings.Repeat("x", 1<<20)}})
	assert.Equal(t, 413, status)
	assert.Equal(t, 405, w.browser().get(w.origin+"/token?grant_type=refresh_token").status)
}
