package signin_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
)

// beginPaste starts an authorization with a redirect URI without a port.
func beginPaste(t *testing.T) *signin.Authorization {
	t.Helper()
	authorization, err := signin.Begin(signin.Request{
		Issuer:      &discovery.Issuer{AuthorizationEndpoint: login + "/authorize"},
		RedirectURI: "http://localhost/callback",
	})
	require.NoError(t, err)
	return authorization
}

func TestReadPastedAcceptsAddress(t *testing.T) {
	t.Parallel()
	authorization := beginPaste(t)
	const address = "http://localhost/callback?code=c-1&state=STATE"
	for _, c := range []struct{ name, text string }{
		{"the address", address},
		{"with blanks around it", " \t " + address + " \r\n"},
		{"in quotes", `"` + address + `"`},
		{"with a port", "http://localhost:3000/callback?code=c-1&state=STATE"},
		{"with a fragment", address + "#"},
		{"without its scheme", "localhost:3000/callback?code=c-1&state=STATE"},
	} {
		params, err := authorization.ReadPasted(strings.ReplaceAll(c.text, "STATE", authorization.State))
		require.NoError(t, err, c.name)
		assert.Equal(t, "c-1", params.Get("code"), c.name)
		assert.Equal(t, authorization.State, params.Get("state"), c.name)
	}
}

func TestReadPastedSaysWhatToPaste(t *testing.T) {
	t.Parallel()
	authorization := beginPaste(t)
	const begins = "begins with http://localhost/callback?"
	for _, c := range []struct{ name, text, says string }{
		{"empty", "", "want the address that the browser ended at"},
		{"the page's address", authorization.URL, "that is the page itself"},
		{"another path", "http://localhost/other?code=c-1", begins},
		{"another host", "http://localhost.example.com/callback?code=c-1", begins},
		{"https", "https://localhost/callback?code=c-1", begins},
		{"the code alone", "c-1", begins},
		{"a mebibyte", "http://localhost/callback?" + strings.Repeat("x", 1<<20), begins},
		{"a torn query", "http://localhost/callback?code=%c", "its query does not parse"},
		{"no query", "http://localhost/callback", "has no code and no error"},
		{"a torn state", "http://localhost/callback?code=c-1&state=s", "another sign-in"},
		{"no state", "http://localhost/callback?code=c-1", "another sign-in"},
	} {
		_, err := authorization.ReadPasted(c.text)
		require.ErrorContains(t, err, c.says, c.name)
		assert.NotContains(t, err.Error(), "c-1", c.name)
		assert.NotContains(t, err.Error(), authorization.State, c.name)
		assert.Less(t, len(err.Error()), 200, c.name)
	}
}
