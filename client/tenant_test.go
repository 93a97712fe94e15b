package client_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/tokenstore"
)

const (
	oneTenant   = "11111111-1111-1111-1111-111111111111"
	otherTenant = "22222222-2222-2222-2222-222222222222"
)

// tenants makes the authorization server one for all tenants. Its ID tokens hold the claims. Its
// access tokens are not JWTs.
func (env *testEnv) tenants(claims func() string) {
	env.replace["/.well-known/oauth-protected-resource/mcp"] = func(w http.ResponseWriter, _ *http.Request) {
		env.json(w, 200, `{"resource":"ORIGIN/mcp","authorization_servers":["ORIGIN/organizations/v2.0"]}`)
	}
	env.replace["/organizations/v2.0/.well-known/openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) {
		env.json(w, 200, `{"issuer":"ORIGIN/{tenantid}/v2.0","authorization_endpoint":"ORIGIN/authorize",
			"token_endpoint":"ORIGIN/token","registration_endpoint":"ORIGIN/register","scopes_supported":["openid"],
			"code_challenge_methods_supported":["S256"]}`)
	}
	env.replace["/.well-known/oauth-authorization-server/organizations/v2.0"] = http.NotFound
	env.replace["/.well-known/openid-configuration/organizations/v2.0"] = http.NotFound
	env.replace["/token"] = func(w http.ResponseWriter, _ *http.Request) {
		env.mu.Lock()
		env.issued++
		access := fmt.Sprintf("secret-access-%d", env.issued)
		env.good[access] = true
		env.mu.Unlock()
		id := ""
		if text := strings.ReplaceAll(claims(), "ORIGIN", env.URL); text != "" {
			id = `,"id_token":"e30.` + base64.RawURLEncoding.EncodeToString([]byte(text)) + `.c2ln"`
		}
		env.json(w, 200, fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":600,
			"refresh_token":"secret-refresh"%s}`, access, id))
	}
	env.iss = "-"
}

// idTokenOf returns the claims of an ID token of a tenant.
func idTokenOf(tenant string) string {
	return `{"iss":"ORIGIN/` + tenant + `/v2.0","aud":"client-1","tid":"` + tenant + `","exp":1785300000}`
}

func allTenants(config *client.Config) { config.Entra.Tenants = true }

func TestTenantIsBoundAtFirstSignIn(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	tenant := oneTenant
	env.tenants(func() string { return idTokenOf(tenant) })
	_, through := env.client(nil)
	_, err := through.Get(env.URL + "/mcp")
	require.ErrorContains(t, err, "--entra-tenants")

	var tokens tokenstore.Memory
	redirectURI := keptRedirectURI(t)
	edit := func(config *client.Config) {
		config.Tokens = &tokens
		config.RedirectURI = redirectURI
		allTenants(config)
	}
	under, through := env.client(edit)
	code, _ := post(t, through, env.URL+"/mcp", "{}")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, "a openid", env.pages()[0].Get("scope"))
	env.end()
	code, _ = post(t, through, env.URL+"/mcp", "{}")
	assert.Equal(t, http.StatusOK, code)
	assert.Len(t, env.pages(), 1, "a refresh of the same tenant")

	// Another tenant is refused, at a refresh and at a sign-in, until the person signs out.
	tenant = otherTenant
	env.end()
	_, err = through.Get(env.URL + "/mcp")
	require.ErrorContains(t, err, "want a token of the tenant "+oneTenant)
	_, err = under.SignOut(t.Context())
	require.NoError(t, err)
	_, through = env.client(edit)
	code, _ = post(t, through, env.URL+"/mcp", "{}")
	assert.Equal(t, http.StatusOK, code)
	assert.Len(t, env.pages(), 2)
}

func TestSignInRefusesUnknownTenant(t *testing.T) {
	t.Parallel()
	good := idTokenOf(oneTenant)
	for _, c := range []struct{ name, claims, iss, says string }{
		{"no ID token", "", "-", "no ID token"},
		{"no tid", strings.Replace(good, `"tid"`, `"oid"`, 1), "-", "no tid"},
		{"a name as tid", strings.ReplaceAll(good, oneTenant, "organizations"), "-", "no tid"},
		{"a path as tid", strings.ReplaceAll(good, oneTenant, "../x"), "-", "no tid"},
		{"another issuer", strings.Replace(good, "ORIGIN", "https://x.example", 1), "-", "want an ID token of"},
		{"another tenant's issuer", strings.Replace(good, oneTenant, otherTenant, 1), "-", "want an ID token of"},
		{"another audience", strings.Replace(good, "client-1", "client-2", 1), "-", "another client"},
		{"more audiences", strings.Replace(good, `"client-1"`, `["client-1","x"]`, 1), "-", "another client"},
		{"expired", strings.Replace(good, "1785300000", "1600000000", 1), "-", "has expired"},
		{"no JSON", "hello", "-", "not a JSON object"},
		{"iss of another tenant", good, "ORIGIN/" + otherTenant + "/v2.0", "which the answer names"},
		{"iss as a template", good, "ORIGIN/{tenantid}/v2.0", "want iss"},
		{"iss as the server names it", good, "ORIGIN/organizations/v2.0", "want iss"},
		{"all claims right", good, "ORIGIN/" + oneTenant + "/v2.0", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			env.tenants(func() string { return c.claims })
			env.iss = strings.ReplaceAll(c.iss, "ORIGIN", env.URL)
			_, through := env.client(allTenants)
			if c.says == "" {
				code, _ := post(t, through, env.URL+"/mcp", "{}")
				assert.Equal(t, http.StatusOK, code)
				return
			}
			assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), c.says)
			assert.Zero(t, env.count("GET /mcp Bearer"))
			refused(t, through, env.URL+"/mcp")
			assert.Len(t, env.pages(), 1)
		})
	}
}
