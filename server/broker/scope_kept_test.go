package broker_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
)

// granted redeems the code of an answer, and returns the scopes of the token response.
func (e *env) granted(c registered, uri string, back answer) string {
	e.t.Helper()
	got, status := e.redeemedAt(c, uri, back.location(e.t).Get("code"))
	require.Equal(e.t, 200, status, got.Error)
	return got.Scope
}

// TestStepUpAsksForMissingScopes asks for one more scope in the browser that approved the first.
func TestStepUpAsksForMissingScopes(t *testing.T) {
	t.Parallel()
	for name, uri := range map[string]string{"a program on this computer": loopback, "a site": appURI} {
		for _, asked := range []string{"notes.read", "user.read notes.read"} {
			t.Run(name+" asks for "+asked, func(t *testing.T) {
				t.Parallel()
				e := newEnv(t, options{scopes: threeScopes()})
				c := e.public(uri)
				b := e.browser()
				first, status := e.redeemedAt(c, uri, e.code(c, b, "redirect_uri", uri).Get("code"))
				require.Equal(t, 200, status)
				require.Equal(t, "user.read", first.Scope)

				page := b.get(e.request(c, "redirect_uri", uri, "scope", asked), "Sec-Fetch-Site", "none")
				before, after, hasKept := strings.Cut(page.body, "You approved this before")
				require.True(t, hasKept, page.body)
				assert.Contains(t, before, "<li>read your notes</li>")
				assert.NotContains(t, before, "<li>read your name</li>")
				assert.Contains(t, after, "<li>read your name</li>")
				scopes := e.granted(c, uri, e.returns(b, e.approve(b, page)))
				assert.ElementsMatch(t, []string{"user.read", "notes.read"}, strings.Fields(scopes))

				both := e.request(c, "redirect_uri", uri, "scope", "user.read notes.read")
				again := b.get(both, "Sec-Fetch-Site", "none")
				assert.Equal(t, uri == appURI, again.status == http.StatusFound, "the union is approved")
			})
		}
	}
}

// TestStepUpInAnotherBrowser steps up where the broker does not know the person before the sign-in.
// A program on the computer can say that it is any program there. So the person first sees what it
// would keep.
func TestStepUpInAnotherBrowser(t *testing.T) {
	t.Parallel()
	for name, uri := range map[string]string{"a program on this computer": loopback, "a site": appURI} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, options{scopes: threeScopes()})
			c := e.public(uri)
			_, status := e.redeemedAt(c, uri, e.code(c, e.browser(), "redirect_uri", uri).Get("code"))
			require.Equal(t, 200, status)

			b := e.browser()
			page := b.get(e.request(c, "redirect_uri", uri, "scope", "notes.read"), "Sec-Fetch-Site", "none")
			assert.NotContains(t, page.body, "read your name")
			back := b.get(e.signIn(b, e.approve(b, page), ""))
			if uri == loopback {
				require.Equal(t, 200, back.status)
				assert.Contains(t, back.body, "You approved this before")
				assert.Contains(t, back.body, "<li>read your name</li>")
				done := e.decide(b, back, "approve")
				require.Equal(t, 200, done.status)
				back = answer{header: http.Header{"Location": {linkOf(t, done)}}}
			}
			scopes := e.granted(c, uri, back)
			assert.ElementsMatch(t, []string{"user.read", "notes.read"}, strings.Fields(scopes))
		})
	}
}

// TestStepUpKeepsNothingOfAnotherPerson signs in with another account after the consent page.
func TestStepUpKeepsNothingOfAnotherPerson(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{scopes: threeScopes()})
	c := e.public()
	b := e.browser()
	_, status := e.token(redemption(c, e.code(c, b).Get("code")))
	require.Equal(t, 200, status)
	page := b.get(e.request(c, "scope", "notes.read", "prompt", "select_account"), "Sec-Fetch-Site", "none")
	require.Contains(t, page.body, "You approved this before")
	other := e.fake.Tenant().Users[1].UserPrincipalName
	back := b.get(e.signIn(b, e.approve(b, page), other))
	require.Equal(t, 200, back.status, "the other person is asked")
	assert.NotContains(t, back.body, "You approved this before")
	assert.Contains(t, back.body, "<li>read your notes</li>")
	done := e.decide(b, back, "approve")
	back = answer{header: http.Header{"Location": {linkOf(t, done)}}}
	assert.Equal(t, "notes.read", e.granted(c, loopback, back))
}

// TestEntraGrantsLess lets Entra grant the permissions of one scope only.
func TestEntraGrantsLess(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{scopes: []broker.Scope{
		{Name: "notes.read", Description: "read your notes", Upstream: []string{"email"}},
		{Name: "user.read", Description: "read your name", Upstream: []string{"User.Read"}},
	}})
	e.withheld.Store(true)
	c := e.public()
	got := e.signedIn(c, "scope", "notes.read user.read")
	assert.Equal(t, "notes.read", got.Scope)
	next, status := e.token(refreshing(c, got.Refresh))
	require.Equal(t, 200, status)
	assert.Equal(t, "notes.read", next.Scope)
}
