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

func TestCookiesOverTLSAreSecure(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{tls: true})
	c := e.public()
	b := e.browser()
	page := b.get(e.request(c))
	approved := e.decide(b, page, "approve")
	require.Equal(t, 200, approved.status, approved.body)
	back := b.get(e.signIn(b, linkOf(t, approved), ""))
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
		assert.NotContains(t, line, state, "the state for Entra is unknown before the approval")
	}
}

func TestCookiesStayFew(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{true, false} {
		e := newEnv(t, options{tls: tls})
		c := e.public()
		b := e.browser()
		first := b.get(e.request(c))
		for range 30 {
			b.get(e.request(c))
		}
		last := b.get(e.request(c))
		form, err := url.Parse(e.origin + "/authorize/consent")
		require.NoError(t, err)
		assert.LessOrEqual(t, len(b.c.Jar.Cookies(form)), 10, "tls: %v", tls)
		e.approve(b, last)
		old := formOf(first.body)
		old.Set("answer", "approve")
		assert.Equal(t, 403, b.post(form.String(), old, "Origin", e.origin).status, "the oldest is forgotten")
	}
}

// TestConsentCookieIsLax checks attributes that the scripted browser ignores. A browser does not
// send a Strict cookie with a link from another site, so the server could not count it.
func TestConsentCookieIsLax(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	page := e.browser().get(e.request(e.public()))
	cookie, err := http.ParseSetCookie(page.header.Get("Set-Cookie"))
	require.NoError(t, err)
	assert.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	assert.Equal(t, "/authorize", cookie.Path)
}

func TestParallelSignInsStayApart(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	b := e.browser()
	firstPage := b.get(e.request(c, "state", "first"))
	secondPage := b.get(e.request(c, "state", "second"))
	toSecond := e.approve(b, secondPage)
	toFirst := e.approve(b, firstPage)
	backFirst := e.signIn(b, toFirst, "")
	backSecond := e.signIn(b, toSecond, "")
	assert.Equal(t, "second", b.get(backSecond).location(t).Get("state"))
	assert.Equal(t, "first", b.get(backFirst).location(t).Get("state"))
}

func TestSignInCookiesStayFew(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{true, false} {
		e := newEnv(t, options{tls: tls})
		c := e.public()
		b := e.browser()
		for range 15 {
			e.approve(b, b.get(e.request(c)))
		}
		back := e.signIn(b, e.approve(b, b.get(e.request(c))), "")
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
