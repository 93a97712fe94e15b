package broker_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPersonGoesBackToOtherAccount signs in with the wrong account, goes back from the consent page
// to Entra, and uses the account that has approved the client before.
func TestPersonGoesBackToOtherAccount(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public(appURI)
	b := e.browser()
	e.code(c, b, "redirect_uri", appURI)
	right := e.fake.Tenant().Users[0].UserPrincipalName
	wrong := e.fake.Tenant().Users[1].UserPrincipalName
	asked := b.get(e.request(c, "redirect_uri", appURI, "prompt", "select_account"), "Sec-Fetch-Site", "none")
	entra := asked.header.Get("Location")
	page := b.get(e.signIn(b, entra, wrong))
	require.Equal(t, http.StatusOK, page.status)
	require.Contains(t, page.body, wrong, "the page asks this person")

	again := b.get(e.signIn(b, entra, right))
	require.Equal(t, http.StatusFound, again.status, again.body)
	require.True(t, strings.HasPrefix(again.header.Get("Location"), e.fake.URL), "to Entra")
	assert.NotContains(t, again.header.Get("Location"), asked.location(t).Get("state"))
	back := b.get(e.signIn(b, again.header.Get("Location"), right))
	code := back.location(t).Get("code")
	require.NotEmpty(t, code, back.body)

	early := b.get(e.signIn(b, again.header.Get("Location"), right))
	assert.Equal(t, http.StatusBadRequest, early.status, "the client has a code")
	_, status := e.redeemedAt(c, appURI, code)
	require.Equal(t, http.StatusOK, status)
	late := b.get(e.signIn(b, again.header.Get("Location"), right))
	assert.Equal(t, http.StatusOK, late.status)
	assert.Contains(t, late.body, "This sign-in is complete")

	other := e.browser().get(e.signIn(e.browser(), entra, right))
	assert.Equal(t, http.StatusForbidden, other.status, "another browser")
}
