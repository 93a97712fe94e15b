package discovery_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/discovery"
)

func TestFindIssuerComparesIssuerByteByByte(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, issuer string }{
		{"another path", "ORIGIN/u"},
		{"an additional slash", "ORIGIN/t/"},
		{"another case", "ORIGIN/T"},
		{"escaped", "ORIGIN/%74"},
		{"another host", "https://evil.example"},
		{"empty", ""},
		{"an additional query", "ORIGIN/t?"},
		{"dot segment", "ORIGIN/./t"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, map[string]document{oauthAt + "/t": {body: issuerJSON(c.issuer, withS256)}})
			_, err := s.fetcher().FindIssuer(t.Context(), s.URL+"/t", s.mcpURL(t))
			require.ErrorContains(t, err, "to the letter")
		})
	}
}

// TestFetcherAcceptsDifferentIssuer has metadata that names another issuer than the MCP server.
func TestFetcherAcceptsDifferentIssuer(t *testing.T) {
	t.Parallel()
	const template = "ORIGIN/{tenantid}/v2.0"
	const oneTenant = "ORIGIN/11111111-1111-1111-1111-111111111111"
	slash := discovery.Fetcher{IssuerRootSlash: true}
	tenants := discovery.Fetcher{EntraTenants: true}
	for _, c := range []struct {
		name, named, found string
		relaxed            discovery.Fetcher
		hint               string // the flag that the strict refusal names
		accepted           bool   // by the relaxed Fetcher
	}{
		{"additional slash", "ORIGIN", "ORIGIN/", slash, "--issuer-root-slash", true},
		{"missing slash", "ORIGIN/", "ORIGIN", slash, "--issuer-root-slash", true},
		{"slash after a path", "ORIGIN/a", "ORIGIN/a/", slash, "", false},
		{"two additional slashes", "ORIGIN", "ORIGIN//", slash, "", false},
		{"another host", "ORIGIN", "https://as.example.com/", slash, "", false},
		{"another case", "ORIGIN", "HTTP://HOST/", slash, "", false},
		{"query", "ORIGIN", "ORIGIN/?", slash, "", false},
		{"organizations", "ORIGIN/organizations/v2.0", template, tenants, "--entra-tenants", true},
		{"common", "ORIGIN/common/v2.0", template, tenants, "--entra-tenants", true},
		{"one tenant", oneTenant, template, tenants, "", false},
		{"template of another origin", "ORIGIN/common/v2.0", "https://x.test/{tenantid}/v2.0", tenants, "", false},
		{"template of version 1", "ORIGIN/common/v2.0", "ORIGIN/{tenantid}/", tenants, "", false},
		{"path before the template", "ORIGIN/x/common/v2.0", "ORIGIN/x/{tenantid}/v2.0", tenants, "", false},
		{"template with the slash's flag", "ORIGIN/common/v2.0", template, slash, "--entra-tenants", false},
		{"slash with the template's flag", "ORIGIN", "ORIGIN/", tenants, "--issuer-root-slash", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			metadata := document{body: issuerJSON(c.found, "")}
			named, err := url.Parse(strings.ReplaceAll(c.named, "ORIGIN", "http://localhost"))
			require.NoError(t, err)
			path := strings.TrimSuffix(named.Path, "/")
			s := serve(t, map[string]document{oauthAt + path: metadata, path + oidcAt: metadata})
			_, err = s.fetcher().FindIssuer(t.Context(), s.resolve(c.named), s.mcpURL(t))
			require.ErrorContains(t, err, "to the letter")
			require.ErrorContains(t, err, c.hint)
			assert.Equal(t, c.hint != "", strings.Contains(err.Error(), "--"), "names only a flag that helps: %v", err)

			relaxed := c.relaxed
			relaxed.HTTPClient = s.Client()
			found, err := relaxed.FindIssuer(t.Context(), s.resolve(c.named), s.mcpURL(t))
			require.Equal(t, c.accepted, err == nil, "%v", err)
			if c.accepted {
				assert.Equal(t, s.resolve(c.named), found.Named)
				assert.Equal(t, s.resolve(c.found), found.Issuer, "iss in a response has to be this one")
			}
		})
	}
}
