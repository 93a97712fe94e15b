package discovery_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/discovery"
)

const anIssuer = `{"issuer":"%s","token_endpoint":"ORIGIN/token","authorization_endpoint":"ORIGIN/authorize"}`

// TestIssuersThatDifferALittle has an authorization server whose metadata names another issuer than
// the server does.
func TestIssuersThatDifferALittle(t *testing.T) {
	t.Parallel()
	slash := discovery.Fetcher{IssuerRootSlash: true}
	tenants := discovery.Fetcher{EntraTenants: true}
	const template = "ORIGIN/{tenantid}/v2.0"
	for name, c := range map[string]struct {
		named, says string
		with        discovery.Fetcher
		hint        string // that the refusal without the relaxation names
		fine        bool
	}{
		"a slash more":                   {"ORIGIN", "ORIGIN/", slash, "--issuer-root-slash", true},
		"a slash less":                   {"ORIGIN/", "ORIGIN", slash, "--issuer-root-slash", true},
		"a slash after a path":           {"ORIGIN/a", "ORIGIN/a/", slash, "", false},
		"two slashes more":               {"ORIGIN", "ORIGIN//", slash, "", false},
		"another host":                   {"ORIGIN", "https://as.example.com/", slash, "", false},
		"another case":                   {"ORIGIN", "HTTP://HOST/", slash, "", false},
		"a query":                        {"ORIGIN", "ORIGIN/?", slash, "", false},
		"all organizations":              {"ORIGIN/organizations/v2.0", template, tenants, "--entra-tenants", true},
		"everybody":                      {"ORIGIN/common/v2.0", template, tenants, "--entra-tenants", true},
		"one tenant":                     {"ORIGIN/11111111-1111-1111-1111-111111111111", template, tenants, "", false},
		"a template elsewhere":           {"ORIGIN/common/v2.0", "https://x.test/{tenantid}/v2.0", tenants, "", false},
		"a template of version 1":        {"ORIGIN/common/v2.0", "ORIGIN/{tenantid}/", tenants, "", false},
		"a path before the template":     {"ORIGIN/x/common/v2.0", "ORIGIN/x/{tenantid}/v2.0", tenants, "", false},
		"a template, and the other flag": {"ORIGIN/common/v2.0", template, slash, "--entra-tenants", false},
		"a slash, and the other flag":    {"ORIGIN", "ORIGIN/", tenants, "--issuer-root-slash", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			document := reply{body: strings.Replace(anIssuer, "%s", c.says, 1)}
			named, err := url.Parse(strings.ReplaceAll(c.named, "ORIGIN", "http://localhost"))
			require.NoError(t, err)
			path := strings.TrimSuffix(named.Path, "/")
			h := newHost(t, map[string]reply{
				"/.well-known/oauth-authorization-server" + path: document,
				path + "/.well-known/openid-configuration":       document,
			})
			issuer := strings.ReplaceAll(c.named, "ORIGIN", h.URL)
			_, err = h.fetcher().FindIssuer(t.Context(), issuer, h.mcp(t))
			require.ErrorContains(t, err, "to the letter")
			require.ErrorContains(t, err, c.hint)
			assert.Equal(t, c.hint != "", strings.Contains(err.Error(), "--"), "only a flag that helps: %v", err)

			with := c.with
			with.HTTPClient = h.fetcher().HTTPClient
			found, err := with.FindIssuer(t.Context(), issuer, h.mcp(t))
			require.Equal(t, c.fine, err == nil, "%v", err)
			if c.fine {
				assert.Equal(t, issuer, found.Named)
				assert.Equal(t, strings.ReplaceAll(c.says, "ORIGIN", h.URL), found.Issuer, "which iss has to be")
			}
		})
	}
}

func TestATemplateStaysAtItsOrigin(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]reply{"/common/v2.0/.well-known/openid-configuration": {
		body: `{"issuer":"ORIGIN/{tenantid}/v2.0","token_endpoint":"https://elsewhere.example.com/token"}`,
	}})
	f := discovery.Fetcher{EntraTenants: true, HTTPClient: h.fetcher().HTTPClient}
	_, err := f.FindIssuer(t.Context(), h.URL+"/common/v2.0", h.mcp(t))
	require.ErrorContains(t, err, "of another origin")
}

func TestTheIssuerOfATenant(t *testing.T) {
	t.Parallel()
	const tenant = "11111111-1111-1111-1111-111111111111"
	all := &discovery.Issuer{Issuer: "https://login.example.com/{tenantid}/v2.0", Tenants: true}
	assert.Equal(t, "https://login.example.com/"+tenant+"/v2.0", all.OfTenant(tenant))
	assert.True(t, all.Is("https://login.example.com/"+tenant+"/v2.0"))
	for _, other := range []string{
		"", "{tenantid}", "https://login.example.com/{tenantid}/v2.0", "https://login.example.com//v2.0",
		"https://login.example.com/" + tenant + "/v2.0/", "https://evil.example.com/" + tenant + "/v2.0",
		"https://login.example.com/" + tenant + "/x/v2.0", "https://login.example.com/common/v2.0", tenant,
		"https://LOGIN.example.com/" + tenant + "/v2.0",
		"https://login.example.com/" + strings.ToUpper("a"+tenant[1:]) + "/v2.0",
	} {
		assert.False(t, all.Is(other), other)
		assert.Empty(t, all.OfTenant(other+"/"), other)
	}
	one := &discovery.Issuer{Issuer: "https://login.example.com/"}
	assert.True(t, one.Is("https://login.example.com/"))
	assert.False(t, one.Is("https://login.example.com"), "iss is exact whatever is overlooked elsewhere")
	assert.Empty(t, one.OfTenant(tenant))
}

func TestResourcesThatDifferALittle(t *testing.T) {
	t.Parallel()
	const at = "ORIGIN/.well-known/oauth-protected-resource/a/mcp"
	above := discovery.Fetcher{ResourceAbove: true}
	for name, c := range map[string]struct {
		server, says, challenged string
		with                     discovery.Fetcher
		strict, fine             bool // without and with the relaxation
		hint                     bool
	}{
		"the server with a query":      {"/a/mcp?key=1", "ORIGIN/a/mcp", "", above, true, true, false},
		"the same query":               {"/a/mcp?key=1", "ORIGIN/a/mcp?key=1", "", above, true, true, false},
		"another query":                {"/a/mcp?key=1", "ORIGIN/a/mcp?key=2", "", above, false, false, false},
		"a query of its own":           {"/a/mcp", "ORIGIN/a/mcp?key=2", "", above, false, false, false},
		"the origin":                   {"/a/mcp", "ORIGIN", "", above, false, true, true},
		"the origin with a slash":      {"/a/mcp", "ORIGIN/", "", above, false, true, true},
		"a path above":                 {"/a/mcp", "ORIGIN/a", "", above, false, true, true},
		"a path above, in a challenge": {"/a/mcp", "ORIGIN/a", at, above, false, true, true},
		"a path that begins alike":     {"/a/mcp", "ORIGIN/a/m", "", above, false, false, false},
		"a path below":                 {"/a/mcp", "ORIGIN/a/mcp/b", "", above, false, false, false},
		"a sibling":                    {"/a/mcp", "ORIGIN/b", "", above, false, false, false},
		"another origin":               {"/a/mcp", "https://mcp.example.com", "", above, false, false, false},
		"a relative address":           {"/a/mcp", "ORIGIN/a/mcp", "/elsewhere", above, true, true, false},
		"an address without a scheme":  {"/a/mcp", "ORIGIN/a/mcp", "mcp.example.com/about", above, true, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, map[string]reply{
				"/.well-known/oauth-protected-resource/a/mcp": {
					body: `{"resource":"` + c.says + `","authorization_servers":["ORIGIN"]}`,
				},
			})
			server, err := url.Parse(h.URL + c.server)
			require.NoError(t, err)
			challenged := strings.ReplaceAll(c.challenged, "ORIGIN", h.URL)
			_, err = h.fetcher().FindResource(t.Context(), server, challenged)
			assert.Equal(t, c.strict, err == nil, "%v", err)
			assert.Equal(t, c.hint, err != nil && strings.Contains(err.Error(), "--resource-above"), "%v", err)
			c.with.HTTPClient = h.fetcher().HTTPClient
			found, err := c.with.FindResource(t.Context(), server, challenged)
			require.Equal(t, c.fine, err == nil, "%v", err)
			if c.fine {
				assert.Equal(t, strings.ReplaceAll(c.says, "ORIGIN", h.URL), found.Resource, "the token's resource")
			}
		})
	}
}

func TestChallengesThatNameDifferentMetadataNameNone(t *testing.T) {
	t.Parallel()
	read := func(lines ...string) *discovery.Challenge {
		challenges, err := discovery.ParseChallenges(http.Header{"Www-Authenticate": lines})
		require.NoError(t, err)
		return discovery.Token(challenges)
	}
	two := read(`Bearer scope="a", resource_metadata="https://a.example.com"`,
		`Bearer resource_metadata="https://b.example.com"`)
	assert.Equal(t, map[string]string{"scope": "a"}, two.Params)
	same := read(`Bearer resource_metadata="https://a.example.com"`, `Bearer resource_metadata="https://a.example.com"`)
	assert.Equal(t, "https://a.example.com", same.Params["resource_metadata"])
	other := read(`Bearer resource_metadata="https://a.example.com"`, `DPoP resource_metadata="https://b.example.com"`)
	assert.Equal(t, "https://a.example.com", other.Params["resource_metadata"])
}
