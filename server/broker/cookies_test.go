package broker_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCookiesOverTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{tls: true})
	c := w.public()
	b := w.browser()
	page := b.get(w.request(c))
	form := formOf(page.body)
	form.Set("answer", "approve")
	approved := b.post(w.origin+"/authorize/consent", form, "Origin", w.origin)
	require.Equal(t, 200, approved.status, approved.body)
	back := b.get(w.signIn(b, unescape(onward.FindStringSubmatch(approved.body)[1]), ""))
	require.Equal(t, 302, back.status, back.body)
	require.NotEmpty(t, back.location(t).Get("code"))
	cookies := 0
	for _, a := range []answer{page, approved, back} {
		for _, line := range a.header.Values("Set-Cookie") {
			cookies++
			cookie, err := http.ParseSetCookie(line)
			require.NoError(t, err)
			assert.True(t, strings.HasPrefix(cookie.Name, "__Host-"), line)
			assert.True(t, cookie.Secure && cookie.HttpOnly && cookie.Path == "/" && cookie.Domain == "", line)
			assert.Contains(t, []http.SameSite{http.SameSiteLaxMode, http.SameSiteStrictMode}, cookie.SameSite, line)
		}
	}
	assert.Equal(t, 5, cookies, "consent, sign-in, both cleared, session")
	state := regexp.MustCompile(`state=([\w-]+)`).FindStringSubmatch(unescape(approved.body))[1]
	for _, line := range page.header.Values("Set-Cookie") {
		assert.NotContains(t, line, state, "what goes to Entra is not known before the approval")
	}
}

func TestCookiesStayFew(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{true, false} {
		w := newWorld(t, options{tls: tls})
		c := w.public()
		b := w.browser()
		first := b.get(w.request(c))
		for range 30 {
			b.get(w.request(c))
		}
		last := b.get(w.request(c))
		form, err := url.Parse(w.origin + "/authorize/consent")
		require.NoError(t, err)
		assert.LessOrEqual(t, len(b.c.Jar.Cookies(form)), 10, "tls: %v", tls)
		w.approve(b, last)
		old := formOf(first.body)
		old.Set("answer", "approve")
		assert.Equal(t, 403, b.post(form.String(), old, "Origin", w.origin).status, "the oldest is forgotten")
	}
}

// TestCookiesOfThePageAreSentFromLinks looks at what browsers heed and the scripted one does not: a
// Strict cookie does not come with a link from another site, so that the server could not count it.
func TestCookiesOfThePageAreSentFromLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	page := w.browser().get(w.request(w.public()))
	cookie, err := http.ParseSetCookie(page.header.Get("Set-Cookie"))
	require.NoError(t, err)
	assert.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	assert.Equal(t, "/authorize", cookie.Path)
}

func TestParallelSignIns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	b := w.browser()
	one := b.get(w.request(c, "state", "one"))
	two := b.get(w.request(c, "state", "two"))
	toTwo := w.approve(b, two)
	toOne := w.approve(b, one)
	backOne := w.signIn(b, toOne, "")
	backTwo := w.signIn(b, toTwo, "")
	assert.Equal(t, "two", b.get(backTwo).location(t).Get("state"))
	assert.Equal(t, "one", b.get(backOne).location(t).Get("state"))
}

func TestSignInCookiesStayFew(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{true, false} {
		w := newWorld(t, options{tls: tls})
		c := w.public()
		b := w.browser()
		for range 15 {
			w.approve(b, b.get(w.request(c)))
		}
		back := w.signIn(b, w.approve(b, b.get(w.request(c))), "")
		require.Equal(t, 302, b.get(back).status, "tls: %v", tls)
		callback, err := url.Parse(back)
		require.NoError(t, err)
		signIns := 0
		for _, cookie := range b.c.Jar.Cookies(callback) {
			if strings.Contains(cookie.Name, "sign-in") {
				signIns++
			}
		}
		assert.LessOrEqual(t, signIns, 10, "tls: %v", tls)
		assert.Equal(t, 302, b.get(back).status, "the cookie of this sign-in stays for a second click")
	}
}
