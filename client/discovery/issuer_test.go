package discovery_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	oauthAt = "/.well-known/oauth-authorization-server"
	oidcAt  = "/.well-known/openid-configuration"
)

const withS256 = `,"code_challenge_methods_supported":["plain","S256"]`

// issuerJSON is the metadata of an issuer, with more members.
func issuerJSON(issuer, more string) string {
	return `{"issuer":"` + issuer + `","authorization_endpoint":"ORIGIN/authorize",` +
		`"token_endpoint":"ORIGIN/token"` + more + `}`
}

func TestFindIssuerTriesLocationsInOrder(t *testing.T) {
	t.Parallel()
	root := document{body: issuerJSON("ORIGIN", withS256)}
	tenant := document{body: issuerJSON("ORIGIN/t", withS256)}
	for _, c := range []struct {
		name      string
		path      string
		documents map[string]document
		requested []string
	}{
		{"OAuth", "", map[string]document{oauthAt: root}, []string{oauthAt}},
		{"OpenID Connect", "", map[string]document{oidcAt: root}, []string{oauthAt, oidcAt}},
		{"OAuth with a path", "/t", map[string]document{oauthAt + "/t": tenant}, []string{oauthAt + "/t"}},
		{
			"OpenID Connect with the path at the end",
			"/t",
			map[string]document{oidcAt + "/t": tenant},
			[]string{oauthAt + "/t", oidcAt + "/t"},
		},
		{
			"OpenID Connect with the path in front",
			"/t",
			map[string]document{"/t" + oidcAt: tenant},
			[]string{oauthAt + "/t", oidcAt + "/t", "/t" + oidcAt},
		},
		{
			"after a broken document",
			"",
			map[string]document{oauthAt: {status: 500}, oidcAt: root},
			[]string{oauthAt, oidcAt},
		},
		{
			"after the document of another issuer",
			"/t",
			map[string]document{oauthAt + "/t": root, oidcAt + "/t": tenant},
			[]string{oauthAt + "/t", oidcAt + "/t"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.documents)
			found, err := s.fetcher().FindIssuer(t.Context(), s.URL+c.path, s.mcpURL(t))
			require.NoError(t, err)
			assert.Equal(t, s.URL+c.path, found.Issuer)
			assert.Equal(t, s.URL+c.requested[len(c.requested)-1], found.Location)
			assert.Equal(t, c.requested, s.paths())
		})
	}
}

func TestFindIssuerRefusesDocument(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body, text string }{
		{
			"registration endpoint over http",
			issuerJSON("ORIGIN", `,"registration_endpoint":"http://example.com/register"`),
			"registration_endpoint",
		},
		{
			"revocation endpoint with a fragment",
			issuerJSON("ORIGIN", `,"revocation_endpoint":"ORIGIN/revoke#x"`),
			"revocation_endpoint",
		},
		{"repeated member", issuerJSON("ORIGIN", `,"token_endpoint":"ORIGIN/token"`), "unique members"},
		{
			"no token endpoint",
			`{"issuer":"ORIGIN","authorization_endpoint":"ORIGIN/authorize"` + withS256 + `}`,
			"token_endpoint",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, map[string]document{oauthAt: {body: c.body}})
			_, err := s.fetcher().FindIssuer(t.Context(), s.URL, s.mcpURL(t))
			require.ErrorContains(t, err, c.text)
		})
	}
}

func TestFindIssuerRefusesURL(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	public := &url.URL{Scheme: "https", Host: "mcp.example.com"}
	for _, c := range []struct {
		name, issuer string
		server       *url.URL
	}{
		{"http", "http://login.example.com", s.mcpURL(t)},
		{"query", s.URL + "/t?tenant=x", s.mcpURL(t)},
		{"fragment", s.URL + "#x", s.mcpURL(t)},
		{"no scheme", "login.example.com", s.mcpURL(t)},
		{"loopback, from a public server", s.URL, public},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := s.fetcher().FindIssuer(t.Context(), c.issuer, c.server)
			require.ErrorContains(t, err, "the authorization server that the MCP server names")
			assert.NotContains(t, err.Error(), "%!", "the format has an argument for each verb")
		})
	}
	t.Cleanup(func() { assert.Empty(t, s.paths()) })
}
