package broker_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func replayRefreshToken(e *env, c registered, _ string, got tokens) {
	e.token(refreshing(c, got.Refresh))
	e.later(time.Minute)
	e.token(refreshing(c, got.Refresh))
}

func replayCode(e *env, c registered, code string, _ tokens) { e.redeemedAt(c, appURI, code) }

// TestTheftEndsConsent uses a refresh token or code twice. The broker asks the person again, for
// this client only.
func TestTheftEndsConsent(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		replay func(e *env, c registered, code string, got tokens)
	}{
		{"a refresh token", replayRefreshToken},
		{"a code", replayCode},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, options{scopes: threeScopes()})
			c := e.public(appURI)
			other := e.public(appURI)
			b := e.browser()
			e.code(other, b, "redirect_uri", appURI)
			e.code(c, b, "redirect_uri", appURI, "scope", "notes.read")
			code := e.code(c, b, "redirect_uri", appURI).Get("code")
			got, status := e.redeemedAt(c, appURI, code)
			require.Equal(t, 200, status)
			require.True(t, e.skips(b, c))
			require.True(t, e.skips(b, c, "scope", "notes.read"))
			underway := b.get(e.request(c, "redirect_uri", appURI), "Sec-Fetch-Site", "none").header.Get("Location")

			test.replay(e, c, code, got)
			assert.False(t, e.good(got.Access))
			assert.False(t, e.skips(b, c))
			assert.False(t, e.skips(b, c, "scope", "notes.read"), "all approvals for this client")
			assert.True(t, e.skips(b, other), "another client of the same person")
			back := b.get(e.signIn(b, underway, ""))
			assert.Equal(t, 200, back.status, "a sign-in that was under way asks as well")
			assert.Contains(t, back.body, "Approve")
			to, err := url.Parse(e.approve(b, back))
			require.NoError(t, err)
			assert.NotEmpty(t, to.Query().Get("code"))
			assert.True(t, e.skips(b, c), "the new approval counts")
		})
	}
}

func TestConsentLasts180Days(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public(appURI)
	b := e.browser()
	beginSession := func() { e.code(e.public(appURI), b, "redirect_uri", appURI) }
	e.code(c, b, "redirect_uri", appURI)
	e.later(179 * 24 * time.Hour)
	beginSession()
	assert.True(t, e.skips(b, c))
	e.later(24 * time.Hour)
	beginSession()
	assert.False(t, e.skips(b, c))
}

// TestRefreshKeepsClient refreshes every twenty days for two years, without a sign-in.
func TestRefreshKeepsClient(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	idle := e.public()
	got := e.signedIn(c)
	e.signedIn(idle)
	for range 36 {
		e.later(20 * 24 * time.Hour)
		next, status := e.token(refreshing(c, got.Refresh))
		require.Equal(t, 200, status, next.Error)
		got = next
	}
	_, status := e.token(refreshing(idle, "x"))
	assert.Equal(t, 401, status, "the store has forgotten the client without use")
}
