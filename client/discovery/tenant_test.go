package discovery_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/discovery"
)

func TestTemplateIsForItsOrigin(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]document{"/common/v2.0" + oidcAt: {
		body: `{"issuer":"ORIGIN/{tenantid}/v2.0","token_endpoint":"https://elsewhere.example.com/token"}`,
	}})
	f := discovery.Fetcher{EntraTenants: true, HTTPClient: s.Client()}
	_, err := f.FindIssuer(t.Context(), s.URL+"/common/v2.0", s.mcpURL(t))
	require.ErrorContains(t, err, "want the origin of "+s.URL)
}

func TestTemplateMatchesTenants(t *testing.T) {
	t.Parallel()
	const tenant = "11111111-1111-1111-1111-111111111111"
	template := &discovery.Issuer{Issuer: "https://login.example.com/{tenantid}/v2.0", Tenants: true}
	assert.Equal(t, "https://login.example.com/"+tenant+"/v2.0", template.OfTenant(tenant))
	assert.True(t, template.Is("https://login.example.com/"+tenant+"/v2.0"))
	for _, other := range []string{
		"",
		"{tenantid}",
		tenant,
		"https://login.example.com/{tenantid}/v2.0",
		"https://login.example.com//v2.0",
		"https://login.example.com/" + tenant + "/v2.0/",
		"https://evil.example.com/" + tenant + "/v2.0",
		"https://login.example.com/" + tenant + "/x/v2.0",
		"https://login.example.com/common/v2.0",
		"https://LOGIN.example.com/" + tenant + "/v2.0",
		"https://login.example.com/" + strings.ToUpper("a"+tenant[1:]) + "/v2.0",
	} {
		assert.False(t, template.Is(other), other)
		assert.Empty(t, template.OfTenant(other+"/"), other)
	}
}

func TestIssuerMatchesItselfAlone(t *testing.T) {
	t.Parallel()
	issuer := &discovery.Issuer{Issuer: "https://login.example.com/"}
	assert.True(t, issuer.Is("https://login.example.com/"))
	assert.False(t, issuer.Is("https://login.example.com"), "iss stays exact, whatever the Fetcher accepts")
	assert.Empty(t, issuer.OfTenant("11111111-1111-1111-1111-111111111111"))
}
