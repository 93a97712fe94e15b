package broker_test

import (
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
	c, other := w.public(), w.public()
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

func TestConfidentialClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c, _ := w.register(`{"redirect_uris":["` + loopback + `"],"token_endpoint_auth_method":"client_secret_basic"}`)
	code := w.code(c, w.browser()).Get("code")
	form := redemption(c, code)
	_, status := w.token(form)
	assert.Equal(t, 401, status, "without a secret")
	form.Set("client_secret", c.Secret)
	_, status = w.token(form)
	assert.Equal(t, 401, status, "in a way that was not registered")
	_, status = w.token(form, "Authorization", basic(c.ID, c.Secret))
	assert.Equal(t, 400, status, "in two ways")
	form.Del("client_secret")
	_, status = w.token(form, "Authorization", basic(c.ID, "wrong"))
	assert.Equal(t, 401, status)
	_, status = w.token(form, "Authorization", basic(c.ID, c.Secret))
	assert.Equal(t, 200, status)
}

func TestGuessesAreSlowedDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	secretive, _ := w.register(`{"redirect_uris":["` + loopback + `"],"token_endpoint_auth_method":"client_secret_post"}`)
	guess := func() int {
		_, status := w.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {secretive.ID}, "client_secret": {"guess"}, "refresh_token": {"x"}})
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
		w.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {open.ID}, "client_secret": {"guess"}, "refresh_token": {"x"}})
	}
	_, status = w.token(redemption(open, code))
	assert.Equal(t, 200, status, "a client without a secret cannot be locked out by guesses")
}

func TestTokenRequestsThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	for grant, code := range map[string]string{
		"password": "unsupported_grant_type", "client_credentials": "unsupported_grant_type", "": "invalid_request", "made:up": "unsupported_grant_type",
	} {
		got, status := w.token(url.Values{"grant_type": {grant}, "client_id": {c.ID}})
		assert.Equal(t, 400, status)
		assert.Equal(t, code, got.Error)
	}
	got, status := w.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {c.ID}}, "Content-Type", "application/json")
	assert.Equal(t, 400, status, got.Error)
	got, status = w.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {c.ID, c.ID}})
	assert.Equal(t, 400, status)
	assert.Equal(t, "invalid_request", got.Error, "a parameter twice")
	_, status = w.token(url.Values{"grant_type": {strings.Repeat("x", 1<<20)}})
	assert.Equal(t, 413, status)
	assert.Equal(t, 405, w.browser().get(w.origin+"/token?grant_type=refresh_token").status)
}
