package entra_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/directory"
	"mcpentra/server/entra"
)

func TestDiscoveryRefusesForeignDocument(t *testing.T) {
	t.Parallel()
	const other = "11111111-2222-4333-8444-555555555555"
	const tenant = directory.DefaultTenantID
	set := func(member string, value any) func(map[string]any, string) {
		return func(document map[string]any, _ string) { document[member] = value }
	}
	// issuerAt sets an issuer on the host of the document.
	issuerAt := func(path string) func(map[string]any, string) {
		return func(document map[string]any, base string) { document["issuer"] = base + path }
	}
	without := func(member string) func(map[string]any, string) {
		return func(document map[string]any, _ string) { delete(document, member) }
	}
	otherCase := func(document map[string]any, _ string) {
		document["Issuer"] = document["issuer"]
		delete(document, "issuer")
	}
	tests := []struct {
		name   string
		change func(document map[string]any, base string)
	}{
		{"issuer of another host", set("issuer", "https://login.microsoftonline.com/"+tenant+"/v2.0")},
		{"issuer of another tenant", issuerAt("/" + other + "/v2.0")},
		{"template of an issuer", issuerAt("/{tenantid}/v2.0")},
		{"v1 issuer", set("issuer", "https://sts.windows.net/"+tenant+"/")},
		{"issuer with a slash at the end", issuerAt("/" + tenant + "/v2.0/")},
		{"issuer without a host", set("issuer", tenant+"/v2.0")},
		{"no issuer", without("issuer")},
		{"issuer in another case", otherCase},
		{"keys over plain http", set("jwks_uri", "http://keys.example/keys")},
		{"no keys", without("jwks_uri")},
		{"token endpoint with a user", set("token_endpoint", "https://login.microsoftonline.com@evil.example/token")},
		{"token endpoint without https", set("token_endpoint", "javascript:alert(1)")},
		{"authorization endpoint of another type", set("authorization_endpoint", 1)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			issuer := newIssuer(t)
			issuer.document = func(document map[string]any) { test.change(document, issuer.URL) }
			_, err := newClient(t, issuer.config()).AuthorizationURL(t.Context(), signInRequest("v"))
			var unavailable *entra.UnavailableError
			require.ErrorAs(t, err, &unavailable)
			assert.Equal(t, "discovery", unavailable.Op)
		})
	}
}

func TestDiscoveryAcceptsOtherOrigins(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	issuer.document = func(document map[string]any) {
		document["authorization_endpoint"] = "https://elsewhere.example/authorize"
	}
	address, err := newClient(t, issuer.config()).AuthorizationURL(t.Context(), signInRequest("v"))
	require.NoError(t, err)
	assert.Contains(t, address, "https://elsewhere.example/authorize?")
}

func TestDeploymentHasOneName(t *testing.T) {
	t.Parallel()
	plain := entra.Config{TenantID: "ab", ClientID: "cd"}
	named := entra.Config{Authority: "login.microsoftonline.com", TenantID: "ab", ClientID: "cd"}
	upper := entra.Config{Authority: "https://login.microsoftonline.com/", TenantID: "AB", ClientID: "CD"}
	fake := entra.Config{Authority: "http://localhost:8400", TenantID: "ab", ClientID: "cd"}
	assert.Equal(t, "login.microsoftonline.com ab cd", plain.Deployment())
	assert.Equal(t, plain.Deployment(), named.Deployment())
	assert.Equal(t, plain.Deployment(), upper.Deployment())
	assert.NotEqual(t, plain.Deployment(), fake.Deployment())
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	set := func(field func(*entra.Config) *string, value string) func(*entra.Config) {
		return func(c *entra.Config) { *field(c) = value }
	}
	authority := func(c *entra.Config) *string { return &c.Authority }
	tenant := func(c *entra.Config) *string { return &c.TenantID }
	client := func(c *entra.Config) *string { return &c.ClientID }
	secret := func(c *entra.Config) *string { return &c.ClientSecret }
	graph := func(c *entra.Config) *string { return &c.GraphURL }
	redirect := func(c *entra.Config) *string { return &c.RedirectURI }
	tests := []struct {
		name   string
		change func(*entra.Config)
		key    string // "" means that New accepts it
	}{
		{"not the public cloud", set(authority, ""), ""},
		{"not the public cloud as a URL", set(authority, "https://login.microsoftonline.com/"), ""},
		{"not an old name of the cloud", set(authority, "login.windows.net"), ""},
		{"not the US government", set(authority, "login.microsoftonline.us"), ""},
		{"not China", set(authority, "login.partner.microsoftonline.cn"), ""},
		{"not a fake on loopback", set(authority, "http://localhost:8400"), ""},
		{"not a fake by address", set(authority, "http://[::1]:8400"), ""},
		{"not a Graph on loopback", set(graph, "http://localhost:8400"), ""},
		{"not a tenant by domain", set(tenant, "contoso.onmicrosoft.com"), ""},

		{"no tenant", set(tenant, ""), "AUTH_TENANT_ID"},
		{"common", set(tenant, "common"), "AUTH_TENANT_ID"},
		{"organizations", set(tenant, "Organizations"), "AUTH_TENANT_ID"},
		{"consumers", set(tenant, "consumers"), "AUTH_TENANT_ID"},
		{"tenant with a path", set(tenant, "a/../b.example"), "AUTH_TENANT_ID"},
		{"no client", set(client, ""), "AUTH_CLIENT_ID"},
		{"client that is a placeholder", set(client, "your-client-id"), "AUTH_CLIENT_ID"},
		{"no secret", set(secret, ""), "AUTH_CLIENT_SECRET"},
		{"secret with a line break", set(secret, "secret\n"), "AUTH_CLIENT_SECRET"},

		{"authority with a tenant", set(authority, "https://login.microsoftonline.com/contoso"), "AUTH_AUTHORITY"},
		{"authority over plain http", set(authority, "http://login.microsoftonline.com"), "AUTH_AUTHORITY"},
		{"foreign authority", set(authority, "login.microsoftonline.com.evil.example"), "AUTH_AUTHORITY"},
		{"authority with a user", set(authority, "https://login.microsoftonline.com@evil.example"), "AUTH_AUTHORITY"},
		{"authority that begins like loopback", set(authority, "http://localhost.evil.example"), "AUTH_AUTHORITY"},
		{"foreign Graph", set(graph, "https://graph.evil.example"), "AUTH_GRAPH_URL"},
		{"Graph without a scheme", set(graph, "localhost:8400"), "AUTH_GRAPH_URL"},
		{"redirect over plain http", set(redirect, "http://mcp.example/auth/callback"), "AUTH_REDIRECT_URI"},
		{"redirect with a fragment", set(redirect, "https://mcp.example/auth#callback"), "AUTH_REDIRECT_URI"},
		{"no redirect", set(redirect, ""), "AUTH_REDIRECT_URI"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := entra.Config{
				TenantID:     directory.DefaultTenantID,
				ClientID:     directory.DefaultClientID,
				ClientSecret: "canary",
				RedirectURI:  "http://localhost:8000/auth/callback",
			}
			test.change(&cfg)
			_, err := entra.New(cfg)
			if test.key == "" {
				require.NoError(t, err)
				return
			}
			var wrong *entra.ConfigError
			require.ErrorAs(t, err, &wrong)
			assert.Equal(t, test.key, wrong.Key)
			assert.NotContains(t, err.Error(), "canary")
		})
	}
}
