package broker_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const appURI = "https://app.example/cb"

// redeemedAt redeems a code that went to the redirect URI of a site.
func (w *world) redeemedAt(c registered, uri, code string) (tokens, int) {
	form := redemption(c, code)
	form.Set("redirect_uri", uri)
	return w.token(form)
}

// skips reports whether a browser is sent on without a consent page.
func (w *world) skips(b *browser, c registered, change ...string) bool {
	change = append([]string{"redirect_uri", appURI}, change...)
	return b.get(w.request(c, change...), "Sec-Fetch-Site", "none").status == 302
}

// TestATheftEndsTheConsent lets a refresh token or code come twice. The person is asked again, for
// this client alone.
func TestATheftEndsTheConsent(t *testing.T) {
	t.Parallel()
	for name, steal := range map[string]func(w *world, c registered, code string, got tokens){
		"a refresh token": func(w *world, c registered, _ string, got tokens) {
			w.token(refreshing(c, got.Refresh))
			w.later(time.Minute)
			w.token(refreshing(c, got.Refresh))
		},
		"a code": func(w *world, c registered, code string, _ tokens) { w.redeemedAt(c, appURI, code) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{scopes: threeScopes()})
			c := w.public(appURI)
			other := w.public(appURI)
			b := w.browser()
			w.code(other, b, "redirect_uri", appURI)
			w.code(c, b, "redirect_uri", appURI, "scope", "notes.read")
			code := w.code(c, b, "redirect_uri", appURI).Get("code")
			got, status := w.redeemedAt(c, appURI, code)
			require.Equal(t, 200, status)
			require.True(t, w.skips(b, c))
			require.True(t, w.skips(b, c, "scope", "notes.read"))
			underway := b.get(w.request(c, "redirect_uri", appURI), "Sec-Fetch-Site", "none").header.Get("Location")

			steal(w, c, code, got)
			assert.False(t, w.good(got.Access))
			assert.False(t, w.skips(b, c))
			assert.False(t, w.skips(b, c, "scope", "notes.read"), "whatever was approved for this client")
			assert.True(t, w.skips(b, other), "another client of the same person")
			back := b.get(w.signIn(b, underway, ""))
			assert.Equal(t, 200, back.status, "a sign-in that was under way asks as well")
			assert.Contains(t, back.body, "Approve")
			to, err := url.Parse(w.approve(b, back))
			require.NoError(t, err)
			assert.NotEmpty(t, to.Query().Get("code"))
			assert.True(t, w.skips(b, c), "the new approval counts")
		})
	}
}

func TestAConsentLasts180Days(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public(appURI)
	b := w.browser()
	session := func() { w.code(w.public(appURI), b, "redirect_uri", appURI) }
	w.code(c, b, "redirect_uri", appURI)
	w.later(179 * 24 * time.Hour)
	session()
	assert.True(t, w.skips(b, c))
	w.later(24 * time.Hour)
	session()
	assert.False(t, w.skips(b, c))
}

// TestRefreshingKeepsAClient refreshes every twenty days for two years, without a sign-in.
func TestRefreshingKeepsAClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	idle := w.public()
	got := w.signedIn(c)
	w.signedIn(idle)
	for range 36 {
		w.later(20 * 24 * time.Hour)
		next, status := w.token(refreshing(c, got.Refresh))
		require.Equal(t, 200, status, next.Error)
		got = next
	}
	_, status := w.token(refreshing(idle, "x"))
	assert.Equal(t, 401, status, "one that nobody uses is forgotten")
}
