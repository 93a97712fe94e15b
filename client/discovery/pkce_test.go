package discovery_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/discovery"
)

// findIssuer returns the metadata in a document.
func findIssuer(t *testing.T, body string) *discovery.Issuer {
	t.Helper()
	s := serve(t, map[string]document{oauthAt: {body: body}})
	found, err := s.fetcher().FindIssuer(t.Context(), s.URL, s.mcpURL(t))
	require.NoError(t, err)
	return found
}

func TestCheckCodeFlowRequiresPKCE(t *testing.T) {
	t.Parallel()
	const methods = `,"code_challenge_methods_supported":`
	for _, c := range []struct {
		name         string
		more         string
		unadvertised error // the result with the exception for Entra ID
	}{
		{"not advertised", "", nil},
		{"empty list", methods + `[]`, nil},
		{"plain alone", methods + `["plain"]`, discovery.ErrNoPKCE},
		{"lower case", methods + `["s256"]`, discovery.ErrNoPKCE},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			found := findIssuer(t, issuerJSON("ORIGIN", c.more))
			require.ErrorIs(t, found.CheckCodeFlow(false), discovery.ErrNoPKCE)
			require.ErrorContains(t, found.CheckCodeFlow(false), "does not advertise PKCE")
			require.ErrorIs(t, found.CheckCodeFlow(true), c.unadvertised)
		})
	}
	require.NoError(t, findIssuer(t, issuerJSON("ORIGIN", withS256)).CheckCodeFlow(false))
}

// TestCheckCodeFlowRequiresPage has authorization servers at which only programs can get a token.
func TestCheckCodeFlowRequiresPage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body, text string }{
		{
			"no authorization endpoint",
			`{"issuer":"ORIGIN","token_endpoint":"ORIGIN/token"` + withS256 + `}`,
			"want an authorization_endpoint",
		},
		{
			"no response type code",
			issuerJSON("ORIGIN", `,"response_types_supported":["token"]`+withS256),
			`want code among the response_types_supported`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			found := findIssuer(t, c.body)
			require.ErrorContains(t, found.CheckCodeFlow(false), c.text)
			assert.ErrorContains(t, found.CheckCodeFlow(true), c.text)
		})
	}
}
