package entra_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/directory"
	"mcpentra/server/entra"
)

func TestADocumentThatSpeaksForSomebodyElseIsNotUsed(t *testing.T) {
	t.Parallel()
	const other = "11111111-2222-4333-8444-555555555555"
	tests := map[string]func(document map[string]any, base string){
		"another host's issuer": func(d map[string]any, _ string) {
			d["issuer"] = "https://login.microsoftonline.com/" + directory.DefaultTenantID + "/v2.0"
		},
		"another tenant's issuer":      func(d map[string]any, base string) { d["issuer"] = base + "/" + other + "/v2.0" },
		"the template of many tenants": func(d map[string]any, base string) { d["issuer"] = base + "/{tenantid}/v2.0" },
		"the v1 issuer": func(d map[string]any, _ string) {
			d["issuer"] = "https://sts.windows.net/" + directory.DefaultTenantID + "/"
		},
		"a slash at the end":             func(d map[string]any, base string) { d["issuer"] = base + "/" + directory.DefaultTenantID + "/v2.0/" },
		"an issuer without a host":       func(d map[string]any, _ string) { d["issuer"] = directory.DefaultTenantID + "/v2.0" },
		"no issuer":                      func(d map[string]any, _ string) { delete(d, "issuer") },
		"an issuer in a case twin":       func(d map[string]any, _ string) { d["Issuer"] = d["issuer"]; delete(d, "issuer") },
		"keys over plain http elsewhere": func(d map[string]any, _ string) { d["jwks_uri"] = "http://keys.example/keys" },
		"no keys":                        func(d map[string]any, _ string) { delete(d, "jwks_uri") },
		"a token endpoint with a user": func(d map[string]any, _ string) {
			d["token_endpoint"] = "https://login.microsoftonline.com@evil.example/token"
		},
		"a token endpoint of no scheme":   func(d map[string]any, _ string) { d["token_endpoint"] = "javascript:alert(1)" },
		"an authorization endpoint typed": func(d map[string]any, _ string) { d["authorization_endpoint"] = 1 },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issuer := newIssuer(t)
			issuer.document = func(document map[string]any) { change(document, issuer.URL) }
			_, err := newClient(
				t,
				issuer.config(),
			).AuthorizationURL(t.Context(), entra.AuthorizationRequest{State: "s", Nonce: "n", CodeChallenge: "c"})
			var unavailable *entra.UnavailableError
			require.ErrorAs(t, err, &unavailable)
			assert.Equal(t, "discovery", unavailable.Op)
		})
	}
}

func TestEndpointsOnAnotherSecureOriginAreLegal(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	issuer.document = func(document map[string]any) {
		document["authorization_endpoint"] = "https://elsewhere.example/authorize"
	}
	address, err := newClient(
		t,
		issuer.config(),
	).AuthorizationURL(t.Context(), entra.AuthorizationRequest{State: "s", Nonce: "n", CodeChallenge: "c"})
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

func TestTheConfigurationIsReadStrictly(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*entra.Config)
		key    string // "" means that it is fine
	}{
		"the public cloud": {change: func(*entra.Config) {}},
		"the public cloud as a URL": {
			change: func(c *entra.Config) { c.Authority = "https://login.microsoftonline.com/" },
		},
		"an old name of the cloud": {change: func(c *entra.Config) { c.Authority = "login.windows.net" }},
		"the US government's":      {change: func(c *entra.Config) { c.Authority = "login.microsoftonline.us" }},
		"China's": {
			change: func(c *entra.Config) { c.Authority = "login.partner.microsoftonline.cn" },
		},
		"a stand-in on loopback": {change: func(c *entra.Config) {
			c.Authority = "http://localhost:8400"
			c.GraphURL = "http://localhost:8400"
		}},
		"a stand-in by address": {change: func(c *entra.Config) { c.Authority = "http://[::1]:8400" }},
		"a tenant by domain":    {change: func(c *entra.Config) { c.TenantID = "contoso.onmicrosoft.com" }},
		"no tenant":             {change: func(c *entra.Config) { c.TenantID = "" }, key: "AUTH_TENANT_ID"},
		"common": {
			change: func(c *entra.Config) { c.TenantID = "common" },
			key:    "AUTH_TENANT_ID",
		},
		"organizations": {
			change: func(c *entra.Config) { c.TenantID = "Organizations" },
			key:    "AUTH_TENANT_ID",
		},
		"consumers": {
			change: func(c *entra.Config) { c.TenantID = "consumers" },
			key:    "AUTH_TENANT_ID",
		},
		"a path for a tenant": {
			change: func(c *entra.Config) { c.TenantID = "a/../b.example" },
			key:    "AUTH_TENANT_ID",
		},
		"no client": {change: func(c *entra.Config) { c.ClientID = "" }, key: "AUTH_CLIENT_ID"},
		"a placeholder for the client": {
			change: func(c *entra.Config) { c.ClientID = "your-client-id" },
			key:    "AUTH_CLIENT_ID",
		},
		"no secret": {
			change: func(c *entra.Config) { c.ClientSecret = "" },
			key:    "AUTH_CLIENT_SECRET",
		},
		"a secret with a line break": {
			change: func(c *entra.Config) { c.ClientSecret = "secret\n" },
			key:    "AUTH_CLIENT_SECRET",
		},
		"the tenant in the authority": {
			change: func(c *entra.Config) { c.Authority = "https://login.microsoftonline.com/contoso" },
			key:    "AUTH_AUTHORITY",
		},
		"plain http": {
			change: func(c *entra.Config) { c.Authority = "http://login.microsoftonline.com" },
			key:    "AUTH_AUTHORITY",
		},
		"somebody's host": {
			change: func(c *entra.Config) { c.Authority = "login.microsoftonline.com.evil.example" },
			key:    "AUTH_AUTHORITY",
		},
		"a user in the authority": {
			change: func(c *entra.Config) { c.Authority = "https://login.microsoftonline.com@evil.example" },
			key:    "AUTH_AUTHORITY",
		},
		"a name that begins as loopback": {
			change: func(c *entra.Config) { c.Authority = "http://localhost.evil.example" },
			key:    "AUTH_AUTHORITY",
		},
		"a graph elsewhere": {
			change: func(c *entra.Config) { c.GraphURL = "https://graph.evil.example" },
			key:    "AUTH_GRAPH_URL",
		},
		"a graph of no scheme": {
			change: func(c *entra.Config) { c.GraphURL = "localhost:8400" },
			key:    "AUTH_GRAPH_URL",
		},
		"a redirect over plain http": {
			change: func(c *entra.Config) { c.RedirectURI = "http://mcp.example/auth/callback" },
			key:    "AUTH_REDIRECT_URI",
		},
		"a redirect with a fragment": {
			change: func(c *entra.Config) { c.RedirectURI = "https://mcp.example/auth#callback" },
			key:    "AUTH_REDIRECT_URI",
		},
		"no redirect": {
			change: func(c *entra.Config) { c.RedirectURI = "" },
			key:    "AUTH_REDIRECT_URI",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
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
