package discovery_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/discovery"
)

const (
	oauthAt = "/.well-known/oauth-authorization-server"
	oidcAt  = "/.well-known/openid-configuration"
)

// describing is the metadata of an issuer at a path of the host, with more members.
func describing(path, more string) reply {
	return reply{
		body: `{"issuer":"ORIGIN` + path + `","authorization_endpoint":"ORIGIN/authorize","token_endpoint":"ORIGIN/token"` + more + `}`,
	}
}

const pkce = `,"code_challenge_methods_supported":["plain","S256"]`

func TestIssuerMetadataIsLookedForInOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path    string
		replies map[string]reply
		asked   []string
	}{
		"OAuth, at the root":          {"", map[string]reply{oauthAt: describing("", pkce)}, []string{oauthAt}},
		"OpenID Connect, at the root": {"", map[string]reply{oidcAt: describing("", pkce)}, []string{oauthAt, oidcAt}},
		"OAuth, path put in":          {"/t", map[string]reply{oauthAt + "/t": describing("/t", pkce)}, []string{oauthAt + "/t"}},
		"OpenID Connect, path put in": {"/t", map[string]reply{oidcAt + "/t": describing("/t", pkce)}, []string{oauthAt + "/t", oidcAt + "/t"}},
		"OpenID Connect, path in front": {
			"/t", map[string]reply{"/t" + oidcAt: describing("/t", pkce)}, []string{oauthAt + "/t", oidcAt + "/t", "/t" + oidcAt},
		},
		"after one that is broken": {
			"", map[string]reply{oauthAt: {status: 500}, oidcAt: describing("", pkce)}, []string{oauthAt, oidcAt},
		},
		"after one of another issuer": {
			"/t", map[string]reply{oauthAt + "/t": describing("", pkce), oidcAt + "/t": describing("/t", pkce)}, []string{oauthAt + "/t", oidcAt + "/t"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, c.replies)
			found, err := h.fetcher().FindIssuer(t.Context(), h.URL+c.path, h.mcp(t))
			require.NoError(t, err)
			assert.Equal(t, h.URL+c.path, found.Issuer)
			assert.Equal(t, h.URL+c.asked[len(c.asked)-1], found.Location)
			assert.Equal(t, c.asked, h.paths())
		})
	}
}

func TestIssuerIsTheOneAskedForToTheLetter(t *testing.T) {
	t.Parallel()
	for name, issuer := range map[string]string{
		"another path": "ORIGIN/u",
		"a slash more": "ORIGIN/t/",
		"another case": "ORIGIN/T",
		"escaped":      "ORIGIN/%74",
		"another host": "https://evil.example",
		"nothing":      "",
		"a query more": "ORIGIN/t?",
		"a dot":        "ORIGIN/./t",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, map[string]reply{oauthAt + "/t": {
				body: `{"issuer":"` + issuer + `","authorization_endpoint":"ORIGIN/a","token_endpoint":"ORIGIN/t"` + pkce + `}`,
			}})
			_, err := h.fetcher().FindIssuer(t.Context(), h.URL+"/t", h.mcp(t))
			require.ErrorContains(t, err, "to the letter")
		})
	}
}

func TestIssuerMetadataThatIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ more, says string }{
		"a registration endpoint elsewhere, over http": {`,"registration_endpoint":"http://example.com/register"`, "registration_endpoint"},
		"a revocation endpoint with a fragment":        {`,"revocation_endpoint":"ORIGIN/revoke#x"`, "revocation_endpoint"},
		"a key twice":                                  {`,"token_endpoint":"ORIGIN/token"`, "not the JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, map[string]reply{oauthAt: describing("", pkce+c.more)})
			_, err := h.fetcher().FindIssuer(t.Context(), h.URL, h.mcp(t))
			require.ErrorContains(t, err, c.says)
		})
	}
	h := newHost(
		t,
		map[string]reply{
			oauthAt: {body: `{"issuer":"ORIGIN","authorization_endpoint":"ORIGIN/authorize"` + pkce + `}`},
		},
	)
	_, err := h.fetcher().FindIssuer(t.Context(), h.URL, h.mcp(t))
	require.ErrorContains(t, err, "token_endpoint")
}

// TestIssuersWithoutACodeFlow are good for machines, and nobody is sent there.
func TestIssuersWithoutACodeFlow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, says string }{
		"no page":         {`{"issuer":"ORIGIN","token_endpoint":"ORIGIN/token"` + pkce + `}`, "names no authorization_endpoint"},
		"no code":         {`{"issuer":"ORIGIN","authorization_endpoint":"ORIGIN/a","token_endpoint":"ORIGIN/token","response_types_supported":["token"]` + pkce + `}`, "response_type code"},
		"nothing of PKCE": {`{"issuer":"ORIGIN","authorization_endpoint":"ORIGIN/a","token_endpoint":"ORIGIN/token"}`, "does not advertise PKCE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, map[string]reply{oauthAt: {body: c.body}})
			found, err := h.fetcher().FindIssuer(t.Context(), h.URL, h.mcp(t))
			require.NoError(t, err)
			require.ErrorContains(t, found.CheckCodeFlow(false), c.says)
			if c.says == "does not advertise PKCE" {
				assert.NoError(t, found.CheckCodeFlow(true), "the exception")
			} else {
				assert.Error(t, found.CheckCodeFlow(true))
			}
		})
	}
}

func TestWithoutPKCENobodySignsIn(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{
		"not advertised":  "",
		"only plain":      `,"code_challenge_methods_supported":["plain"]`,
		"empty":           `,"code_challenge_methods_supported":[]`,
		"in another case": `,"code_challenge_methods_supported":["s256"]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, map[string]reply{oauthAt: describing("", more), oidcAt: describing("", pkce)})
			found, err := h.fetcher().FindIssuer(t.Context(), h.URL, h.mcp(t))
			require.NoError(t, err)
			require.ErrorIs(t, found.CheckCodeFlow(false), discovery.ErrNoPKCE)
			if strings.Contains(more, "lain") || strings.Contains(more, "s256") {
				require.ErrorIs(
					t,
					found.CheckCodeFlow(true),
					discovery.ErrNoPKCE,
					"an exception is for those that say nothing",
				)
			}
		})
	}
}

func TestIssuersThatAreNotAsked(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	remote := &url.URL{Scheme: "https", Host: "mcp.example.com"}
	for name, c := range map[string]struct {
		issuer string
		server *url.URL
	}{
		"over http":         {"http://login.example.com", h.mcp(t)},
		"with a query":      {h.URL + "/t?tenant=x", h.mcp(t)},
		"with a fragment":   {h.URL + "#x", h.mcp(t)},
		"no URL":            {"login.example.com", h.mcp(t)},
		"here, from remote": {h.URL, remote},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := h.fetcher().FindIssuer(t.Context(), c.issuer, c.server)
			require.ErrorContains(t, err, "the authorization server")
			assert.NotContains(t, err.Error(), "%!", "the error is whole")
		})
	}
	t.Cleanup(func() { assert.Empty(t, h.paths()) })
}

func TestServersOfTheFirstRevision(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replies map[string]reply
		assumed bool
		tokenAt string
		says    string
		noPKCE  bool
	}{
		"without any metadata":            {assumed: true, tokenAt: "/token"},
		"with metadata at the root":       {replies: map[string]reply{oauthAt: describing("", pkce)}, tokenAt: "/token"},
		"that say nothing of PKCE":        {replies: map[string]reply{oauthAt: describing("", "")}, tokenAt: "/token"},
		"that take plain only":            {replies: map[string]reply{oauthAt: describing("", `,"code_challenge_methods_supported":["plain"]`)}, noPKCE: true},
		"with metadata of another issuer": {replies: map[string]reply{oauthAt: describing("/t", pkce)}, says: "to the letter"},
		"that are broken":                 {replies: map[string]reply{oauthAt: {status: 500}}, says: "status 500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, c.replies)
			found, err := h.fetcher().FindLegacyIssuer(t.Context(), h.mcp(t))
			switch {
			case c.noPKCE:
				require.NoError(t, err)
				require.ErrorIs(t, found.CheckCodeFlow(false), discovery.ErrNoPKCE)
			case c.says != "":
				require.ErrorContains(t, err, c.says)
			default:
				require.NoError(t, err)
				require.NoError(t, found.CheckCodeFlow(false))
				assert.Equal(t, c.assumed, found.Assumed)
				assert.Equal(t, h.URL, found.Issuer)
				assert.Equal(t, h.URL+c.tokenAt, found.TokenEndpoint)
			}
		})
	}
}
