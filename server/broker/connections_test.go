package broker_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
)

// formsOf returns the forms of a connections page, by the client that they end, or "all".
func formsOf(body string) map[string]url.Values {
	forms := map[string]url.Values{}
	for _, part := range strings.Split(body, "<form ")[1:] {
		form := formOf(part)
		name := form.Get("client")
		if strings.Contains(part, `name="end"`) {
			form.Set("end", "all")
			name = "all"
		}
		forms[name] = form
	}
	return forms
}

func (e *env) connections(b *browser) string {
	a := b.get(e.origin + "/connections")
	require.Equal(e.t, 200, a.status, a.body)
	assert.Contains(e.t, a.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	assert.Contains(e.t, a.header.Get("Cache-Control"), "no-store")
	return a.body
}

// disconnect sends a form of a connections page. Headers replace the ones of a browser.
func (e *env) disconnect(b *browser, form url.Values, headers ...string) answer {
	if headers == nil {
		headers = []string{"Origin", e.origin, "Sec-Fetch-Site", "same-origin"}
	}
	return b.post(e.origin+"/connections", form, headers...)
}

// signedInWith signs in with a browser and an account, and redeems the code.
func (e *env) signedInWith(b *browser, c registered, user string) tokens {
	to := e.approve(b, b.get(e.request(c, "prompt", "consent select_account"), "Sec-Fetch-Site", "none"))
	code := b.get(e.signIn(b, to, user)).location(e.t).Get("code")
	got, status := e.token(redemption(c, code))
	require.Equal(e.t, 200, status, got.Error)
	return got
}

func TestConnectionsEndOneByOne(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	b := e.browser()
	notes := e.named("Notes <i>", loopback)
	mail := e.named("Mail", loopback)
	first := e.signedInWith(b, notes, "")
	second := e.signedInWith(b, notes, "")
	third := e.signedInWith(b, mail, "")

	page := e.connections(b)
	assert.Contains(t, page, "<bdi>Notes &lt;i&gt;</bdi>")
	assert.Contains(t, page, "<dt>Sign-ins</dt><dd>2</dd>")
	assert.Contains(t, page, "read your name and profile")
	assert.Contains(t, page, "Signed in as <bdi>"+e.fake.Tenant().Users[0].UserPrincipalName)
	forms := formsOf(page)
	require.Len(t, forms, 3)

	done := e.disconnect(b, forms[notes.ID])
	assert.Equal(t, http.StatusSeeOther, done.status)
	assert.Equal(t, "/connections", done.header.Get("Location"))
	assert.False(t, e.good(first.Access))
	assert.False(t, e.good(second.Access))
	assert.True(t, e.good(third.Access))
	_, status := e.token(refreshing(notes, first.Refresh))
	assert.Equal(t, 400, status)
	assert.NotContains(t, e.connections(b), "Notes")
	assert.Equal(t, http.StatusSeeOther, e.disconnect(b, forms[notes.ID]).status, "a second click")

	assert.Equal(t, http.StatusSeeOther, e.disconnect(b, forms["all"]).status)
	assert.False(t, e.good(third.Access))
	assert.Contains(t, e.connections(b), "No program acts for you")
}

func TestDisconnectingForgetsConsent(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	b := e.browser()
	c := e.named("App", appURI)
	to := e.approve(b, b.get(e.request(c, "redirect_uri", appURI), "Sec-Fetch-Site", "none"))
	back := e.signIn(b, to, "")
	code := b.get(back).location(t).Get("code")
	require.True(t, e.skips(b, c))
	require.Contains(t, e.connections(b), "No program", "the code is not redeemed yet")

	_, err := e.broker.EndGrants(t.Context(), broker.GrantFilter{ClientID: c.ID}, "a test")
	require.NoError(t, err)
	_, status := e.redeemedAt(c, appURI, code)
	assert.Equal(t, 400, status, "a code that was issued before")
	assert.NotEqual(t, 302, b.get(back).status, "a second click gets no new code")
	assert.True(t, e.skips(b, c), "no grant, so no consent was deleted")

	require.NotEmpty(t, e.redeemed(c, b))
	require.Equal(t, http.StatusSeeOther, e.disconnect(b, formsOf(e.connections(b))["all"]).status)
	assert.False(t, e.skips(b, c))
}

// redeemed signs in without a consent page and returns the access token.
func (e *env) redeemed(c registered, b *browser) string {
	to := b.get(e.request(c, "redirect_uri", appURI), "Sec-Fetch-Site", "none").header.Get("Location")
	code := b.get(e.signIn(b, to, "")).location(e.t).Get("code")
	got, status := e.redeemedAt(c, appURI, code)
	require.Equal(e.t, 200, status, got.Error)
	return got.Access
}

func TestConnectionsRefuseForms(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	b := e.browser()
	c := e.public()
	got := e.signedInWith(b, c, "")
	form := formsOf(e.connections(b))["all"]

	other := e.browser()
	e.signedInWith(other, c, e.fake.Tenant().Users[1].UserPrincipalName)
	changed := func(name, value string) url.Values {
		copied := url.Values{}
		for key, values := range form {
			copied[key] = values
		}
		copied.Set(name, value)
		return copied
	}
	for _, test := range []struct {
		name    string
		browser *browser
		form    url.Values
		headers []string
	}{
		{"of another site", b, form, []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}},
		{"without an origin", b, form, []string{"X-Other", "1"}},
		{"of another person", other, form, nil},
		{"without a session", e.browser(), form, nil},
		{"without a secret", b, changed("csrf", ""), nil},
		{"with a wrong secret", b, changed("csrf", "AAAA"), nil},
		{"without a client", b, changed("end", ""), nil},
		{"with a client and all", b, changed("client", c.ID), nil},
	} {
		assert.Equal(t, 403, e.disconnect(test.browser, test.form, test.headers...).status, test.name)
	}
	assert.True(t, e.good(got.Access))
	e.later(2 * time.Hour)
	assert.Equal(t, 403, e.disconnect(b, form).status, "too old")
}

func TestConnectionsNeedASignIn(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	e.signedInWith(e.browser(), e.named("Notes", loopback), "")
	b := e.browser()
	page := e.connections(b)
	assert.NotContains(t, page, "Notes")
	assert.Equal(t, 403, b.post(e.origin+"/connections/sign-in", nil, "Origin", "https://evil.example").status)

	begun := b.post(e.origin+"/connections/sign-in", nil, "Origin", e.origin, "Sec-Fetch-Site", "same-origin")
	require.Equal(t, 200, begun.status, begun.body)
	back := e.signIn(b, linkOf(t, begun), "")
	for range 2 { // people click twice
		done := b.get(back)
		assert.Equal(t, http.StatusSeeOther, done.status, done.body)
		assert.Equal(t, "/connections", done.header.Get("Location"))
	}
	assert.Contains(t, e.connections(b), "Notes")
}

func TestGrantsAreFound(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	first := e.named("First", loopback)
	second := e.named("Second", loopback)
	users := e.fake.Tenant().Users
	e.signedInWith(e.browser(), first, users[0].UserPrincipalName)
	e.signedInWith(e.browser(), second, users[0].UserPrincipalName)
	e.later(time.Hour)
	last := e.signedInWith(e.browser(), second, users[1].UserPrincipalName)

	find := func(filter broker.GrantFilter) (names []string) {
		for after := ""; ; {
			page, err := e.broker.Grants(t.Context(), filter, after, 1)
			require.NoError(t, err)
			if len(page) == 0 {
				return names
			}
			require.Len(t, page, 1)
			names = append(names, page[0].ClientName+" "+page[0].Username)
			after = page[0].ID
		}
	}
	ofFirst := "First " + users[0].UserPrincipalName
	ofSecond := "Second " + users[0].UserPrincipalName
	ofOther := "Second " + users[1].UserPrincipalName
	assert.ElementsMatch(t, []string{ofFirst, ofSecond, ofOther}, find(broker.GrantFilter{}))
	assert.ElementsMatch(t, []string{ofFirst, ofSecond}, find(broker.GrantFilter{User: users[0].ID}))
	upper := strings.ToUpper(users[1].UserPrincipalName)
	assert.ElementsMatch(t, []string{ofOther}, find(broker.GrantFilter{User: upper}))
	assert.ElementsMatch(t, []string{ofSecond, ofOther}, find(broker.GrantFilter{ClientID: second.ID}))
	assert.Empty(t, find(broker.GrantFilter{User: "unknown@example.com"}))

	page, err := e.broker.Grants(t.Context(), broker.GrantFilter{User: users[1].ID}, "", 10)
	require.NoError(t, err)
	require.Len(t, page, 1)
	assert.True(t, page[0].Since.Equal(e.now()), page[0].Since)
	assert.True(t, page[0].LastUsed.Equal(e.now()))

	ended, err := e.broker.EndGrants(t.Context(), broker.GrantFilter{User: users[0].ID}, "a test")
	require.NoError(t, err)
	assert.Equal(t, 2, ended)
	assert.True(t, e.good(last.Access))
	found, err := e.broker.EndGrant(t.Context(), page[0].ID, "a test")
	require.NoError(t, err)
	assert.True(t, found)
	assert.False(t, e.good(last.Access))
	found, err = e.broker.EndGrant(t.Context(), page[0].ID, "a test")
	require.NoError(t, err)
	assert.False(t, found)
}
