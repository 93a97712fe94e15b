package client_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/tokenstore"
)

func TestChallengesThatAreNotWellFormed(t *testing.T) {
	t.Parallel()
	for name, challenge := range map[string]string{
		"two addresses":            `Bearer resource_metadata="URL", resource_metadata="https://evil.example.com/x"`,
		"two challenges":           `Bearer resource_metadata="URL", Bearer resource_metadata="https://evil.test/x"`,
		"a relative address":       `Bearer resource_metadata="/.well-known/oauth-protected-resource/mcp"`,
		"no quotes":                `Bearer resource_metadata=URL`,
		"single quotes":            `Bearer resource_metadata='URL'`,
		"one quote":                `Bearer resource_metadata="URL`,
		"no quotes, elsewhere":     `Bearer resource_metadata=https://evil.example.com/about`,
		"single quotes, elsewhere": `Bearer resource_metadata='https://evil.example.com/about'`,
		"nothing but a scheme":     `Bearer`,
		"no scheme":                `resource_metadata="URL"`,
		"something else":           `Please sign in!`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			at := s.URL + "/.well-known/oauth-protected-resource/mcp"
			s.challenge = strings.ReplaceAll(challenge, "URL", at)
			_, through := s.client(nil)
			code, _ := post(t, through, s.URL+"/mcp", "{}")
			assert.Equal(t, http.StatusOK, code)
			assert.Len(t, s.pages(), 1)
			assert.Equal(t, 1, s.count("GET /.well-known/oauth-protected-resource/mcp"))
		})
	}
}

func TestTheServersURLHasAQuery(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, through := s.client(func(config *client.Config) { config.Server += "?key=1" })
	code, _ := post(t, through, s.URL+"/mcp?key=1", "{}")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, s.URL+"/mcp", s.pages()[0].Get("resource"), "the metadata's, not the address")
}

// created answers with 201 whatever the handler says.
type created struct{ http.ResponseWriter }

func (c created) WriteHeader(int) { c.ResponseWriter.WriteHeader(http.StatusCreated) }

func TestAnswersWithOtherGoodStatuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.replace["/register"] = func(w http.ResponseWriter, _ *http.Request) { s.json(w, 202, `{"client_id":"client-1"}`) }
	s.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
		s.token(created{w}, r)
	}
	_, through := s.client(nil)
	code, _ := post(t, through, s.URL+"/mcp", "{}")
	assert.Equal(t, http.StatusOK, code)

	for path, step := range map[string]string{"/token": "token refused", "/register": "registration refused"} {
		s := newSite(t)
		s.replace[path] = func(w http.ResponseWriter, _ *http.Request) {
			s.json(w, 200, `{"error":"bad_thing","error_description":"as it is"}`)
		}
		_, through := s.client(nil)
		assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), step+": bad_thing (as it is)")
	}
}

// TestFlagsThatWouldHelpAreNamed has a refusal name the flag that relaxes it, and the sign-in go on
// with the flag.
func TestFlagsThatWouldHelpAreNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(s *site)
		flag  string
		relax func(config *client.Config)
	}{
		"an issuer with a slash": {func(s *site) {
			s.replace["/.well-known/oauth-authorization-server"] = func(w http.ResponseWriter, _ *http.Request) {
				s.json(w, 200, `{"issuer":"ORIGIN/","authorization_endpoint":"ORIGIN/authorize",
					"token_endpoint":"ORIGIN/token","registration_endpoint":"ORIGIN/register",
					"code_challenge_methods_supported":["S256"]}`)
			}
		}, "--issuer-root-slash", func(config *client.Config) { config.Relax.IssuerRootSlash = true }},
		"metadata of the origin": {func(s *site) {
			s.replace["/.well-known/oauth-protected-resource/mcp"] = func(w http.ResponseWriter, _ *http.Request) {
				s.json(w, 200, `{"resource":"ORIGIN","authorization_servers":["ORIGIN"]}`)
			}
		}, "--resource-above", func(config *client.Config) { config.Relax.ResourceAbove = true }},
		"no PKCE": {func(s *site) { s.metadata("") }, "--entra-unadvertised-pkce",
			func(config *client.Config) { config.Entra.UnadvertisedPKCE = true }},
		"a resource that is refused": {func(s *site) {
			s.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
				if r.FormValue("resource") != "" {
					s.json(w, 400, `{"error":"invalid_target","error_description":"AADSTS9010010: No match."}`)
					return
				}
				s.token(w, r)
			}
		}, "--entra-no-resource", func(config *client.Config) { config.Entra.NoResource = true }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			c.spoil(s)
			_, through := s.client(nil)
			_, err := through.Get(s.URL + "/mcp")
			require.ErrorContains(t, err, c.flag)
			var iss string
			s.person = func(page url.Values) (url.Values, error) {
				return url.Values{"code": {fmt.Sprintf("secret-code-%d", len(s.pages()))}}, nil
			}
			_, through = s.client(func(config *client.Config) {
				c.relax(config)
				if c.flag == "--issuer-root-slash" {
					iss = s.URL + "/"
				}
			})
			if iss != "" {
				s.iss = iss
			}
			code, _ := post(t, through, s.URL+"/mcp", "{}")
			assert.Equal(t, http.StatusOK, code)
		})
	}
}

// TestIssStaysExact has an authorization server whose issuer has a slash more. It answers with the
// one that the server names.
func TestIssStaysExact(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.replace["/.well-known/oauth-authorization-server"] = func(w http.ResponseWriter, _ *http.Request) {
		s.json(w, 200, `{"issuer":"ORIGIN/","authorization_endpoint":"ORIGIN/authorize","token_endpoint":"ORIGIN/token",
			"registration_endpoint":"ORIGIN/register","code_challenge_methods_supported":["S256"]}`)
	}
	_, through := s.client(func(config *client.Config) { config.Relax.IssuerRootSlash = true })
	assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), "want iss "+s.URL+"/")
	assert.Zero(t, s.count("POST /token"))
}

const (
	oneTenant   = "11111111-1111-1111-1111-111111111111"
	otherTenant = "22222222-2222-2222-2222-222222222222"
)

// tenants makes the site's authorization server one for all tenants, whose ID tokens say what
// claims do. The access token is no JWT.
func (s *site) tenants(claims func() string) {
	s.replace["/.well-known/oauth-protected-resource/mcp"] = func(w http.ResponseWriter, _ *http.Request) {
		s.json(w, 200, `{"resource":"ORIGIN/mcp","authorization_servers":["ORIGIN/organizations/v2.0"]}`)
	}
	s.replace["/organizations/v2.0/.well-known/openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) {
		s.json(w, 200, `{"issuer":"ORIGIN/{tenantid}/v2.0","authorization_endpoint":"ORIGIN/authorize",
			"token_endpoint":"ORIGIN/token","registration_endpoint":"ORIGIN/register","scopes_supported":["openid"],
			"code_challenge_methods_supported":["S256"]}`)
	}
	s.replace["/.well-known/oauth-authorization-server/organizations/v2.0"] = http.NotFound
	s.replace["/.well-known/openid-configuration/organizations/v2.0"] = http.NotFound
	s.replace["/token"] = func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		s.issued++
		access := fmt.Sprintf("secret-access-%d", s.issued)
		s.good[access] = true
		s.mu.Unlock()
		id := ""
		if text := strings.ReplaceAll(claims(), "ORIGIN", s.URL); text != "" {
			id = `,"id_token":"e30.` + base64.RawURLEncoding.EncodeToString([]byte(text)) + `.c2ln"`
		}
		s.json(w, 200, fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":600,
			"refresh_token":"secret-refresh"%s}`, access, id))
	}
	s.iss = "-"
}

func idTokenOf(tenant string) string {
	return `{"iss":"ORIGIN/` + tenant + `/v2.0","aud":"client-1","tid":"` + tenant + `","exp":1785300000}`
}

func allTenants(config *client.Config) { config.Entra.Tenants = true }

func TestOrganizationsOfEntra(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tenant := oneTenant
	s.tenants(func() string { return idTokenOf(tenant) })
	_, through := s.client(nil)
	_, err := through.Get(s.URL + "/mcp")
	require.ErrorContains(t, err, "--entra-tenants")

	var tokens tokenstore.Memory
	edit := func(config *client.Config) {
		config.Tokens = &tokens
		allTenants(config)
	}
	under, through := s.client(edit)
	code, _ := post(t, through, s.URL+"/mcp", "{}")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, "a openid", s.pages()[0].Get("scope"))
	s.end()
	code, _ = post(t, through, s.URL+"/mcp", "{}")
	assert.Equal(t, http.StatusOK, code)
	assert.Len(t, s.pages(), 1, "a refresh of the same tenant")

	// Another tenant is refused, at a refresh and at a sign-in, until the person signs out.
	tenant = otherTenant
	s.end()
	_, err = through.Get(s.URL + "/mcp")
	require.ErrorContains(t, err, "want a token of the tenant "+oneTenant)
	_, err = under.SignOut(t.Context())
	require.NoError(t, err)
	_, through = s.client(edit)
	code, _ = post(t, through, s.URL+"/mcp", "{}")
	assert.Equal(t, http.StatusOK, code)
	assert.Len(t, s.pages(), 2)
}

func TestATenantThatIsNotKnown(t *testing.T) {
	t.Parallel()
	good := idTokenOf(oneTenant)
	for name, c := range map[string]struct{ claims, iss, says string }{
		"no ID token":          {"", "-", "no ID token"},
		"no tid":               {strings.Replace(good, `"tid"`, `"oid"`, 1), "-", "no tid"},
		"a tid that is a name": {strings.ReplaceAll(good, oneTenant, "organizations"), "-", "no tid"},
		"a tid with a path":    {strings.ReplaceAll(good, oneTenant, "../x"), "-", "no tid"},
		"another issuer":       {strings.Replace(good, "ORIGIN", "https://x.example", 1), "-", "want an ID token of"},
		"another tenant's":     {strings.Replace(good, oneTenant, otherTenant, 1), "-", "want an ID token of"},
		"another audience":     {strings.Replace(good, "client-1", "client-2", 1), "-", "another client"},
		"more audiences":       {strings.Replace(good, `"client-1"`, `["client-1","x"]`, 1), "-", "another client"},
		"out of date":          {strings.Replace(good, "1785300000", "1600000000", 1), "-", "has expired"},
		"no JSON":              {"hello", "-", "not a JSON object"},
		"iss of another":       {good, "ORIGIN/" + otherTenant + "/v2.0", "which the answer names"},
		"iss as a template":    {good, "ORIGIN/{tenantid}/v2.0", "want iss"},
		"iss as it was named":  {good, "ORIGIN/organizations/v2.0", "want iss"},
		"everything right":     {good, "ORIGIN/" + oneTenant + "/v2.0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.tenants(func() string { return c.claims })
			s.iss = strings.ReplaceAll(c.iss, "ORIGIN", s.URL)
			_, through := s.client(allTenants)
			if c.says == "" {
				code, _ := post(t, through, s.URL+"/mcp", "{}")
				assert.Equal(t, http.StatusOK, code)
				return
			}
			assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), c.says)
			assert.Zero(t, s.count("GET /mcp Bearer"))
			refused(t, through, s.URL+"/mcp")
			assert.Len(t, s.pages(), 1)
		})
	}
}
