package entra_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/server/entra"
	"mcpentra/server/identity"
	"mcpentra/server/token"
)

func TestVerifyAccepts(t *testing.T) {
	t.Parallel()
	for _, version := range []int{1, 2} {
		fake := newAPIFake(t, version)
		api := newAPI(t, apiConfig(fake), entra.APIConfig{Versions: []int{version}})
		require.NoError(t, api.Check(t.Context()))
		caller, err := api.Verify(t.Context(), mint(t, fake, fakeentra.Token{}))
		require.NoError(t, err)
		assert.Equal(t, identity.User, caller.Kind)
		assert.Equal(t, fake.Issuer(directory.DefaultTenantID), caller.Issuer, "the same issuer in both versions")
		assert.Equal(t, directory.DefaultTenantID, caller.TenantID)
		assert.Equal(t, directory.DefaultUserID, caller.ObjectID)
		assert.Equal(t, directory.DefaultClientID, caller.ClientID)
		assert.Equal(t, "AdeleV@contoso.onmicrosoft.com", caller.Username)
		assert.Equal(t, []string{"tool.read", "tool.write"}, caller.Scopes)
		assert.NotEmpty(t, caller.TokenID)
		assert.True(t, caller.Expiry.After(noon))
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	const public = "https://login.microsoftonline.com/"
	edit := func(change func(claims map[string]any)) fakeentra.Token { return fakeentra.Token{Edit: change} }
	set := func(name string, value any) fakeentra.Token {
		return edit(func(claims map[string]any) { claims[name] = value })
	}
	without := func(names ...string) fakeentra.Token {
		removed := func(name string, _ any) bool { return slices.Contains(names, name) }
		return edit(func(claims map[string]any) { maps.DeleteFunc(claims, removed) })
	}
	for _, test := range []struct {
		name  string
		token fakeentra.Token
	}{
		{"unlisted tenant", fakeentra.Token{Tenant: secondTenant}},
		{"tid of another tenant", set("tid", secondTenant)},
		{"no tid", without("tid")},
		{"tid in capitals", set("tid", strings.ToUpper(directory.DefaultTenantID))},

		{"v1 issuer", set("iss", "https://sts.windows.net/"+directory.DefaultTenantID+"/")},
		{"issuer with a slash at the end", set("iss", public+directory.DefaultTenantID+"/v2.0/")},
		{"template of an issuer", set("iss", public+"{tenantid}/v2.0")},
		{"common issuer", set("iss", public+"common/v2.0")},
		{"issuer of another cloud", set("iss", "https://login.microsoftonline.us/"+directory.DefaultTenantID+"/v2.0")},
		{"another version", set("ver", "1.0")},
		{"no version", without("ver")},

		{"audience Graph", set("aud", "https://graph.microsoft.com")},
		{"audience is the client", set("aud", directory.DefaultClientID)},
		{"audience that begins like ours", set("aud", "api://"+directory.DefaultAPIID+"x")},
		{"audience above ours", set("aud", "api://")},
		{"two audiences", set("aud", []string{directory.DefaultAPIID, directory.DefaultClientID})},
		{"no audience", without("aud")},

		{"ID token", without("azp", "scp")},
		{"two clients", set("appid", directory.DefaultClientID)},
		{"client without an ID", set("azp", "me")},
		{"no oid", without("oid")},
		{"oid without an ID", set("oid", "../../x")},
		{"no subject", without("sub")},
		{"application with scopes", set("idtyp", "app")},
		{"device", set("idtyp", "device")},
		{"person without scp", without("scp")},
		{"scopes with commas and blanks", set("scp", "tool.read,  tool.write")},
		{"scopes with a tab", set("scp", "tool.read\ttool.write")},
		{"scopes in a list", set("scp", []string{"tool.read"})},
		{"roles in a text", set("roles", "Tool.Call")},
		{"bound to a key", set("cnf", map[string]string{"jkt": "x"})},

		{"no expiry", without("exp")},
		{"expired", set("exp", noon.Add(-2*time.Minute).Unix())},
		{"not valid yet", set("nbf", noon.Add(10*time.Minute).Unix())},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			fake := newAPIFake(t, 2)
			api := newAPI(t, apiConfig(fake), entra.APIConfig{})
			_, err := api.Verify(t.Context(), mint(t, fake, test.token))
			var invalid *token.InvalidError
			require.ErrorAs(t, err, &invalid)
			assert.NotContains(t, err.Error(), "5a1e", "a reason contains nothing of the token")
		})
	}
}

func TestVerifyRefusesKeyOfAnotherTenant(t *testing.T) {
	t.Parallel()
	fake := newAPIFake(t, 2)
	cfg := apiConfig(fake)
	raw := mint(t, fake, fakeentra.Token{})
	for name, test := range map[string]struct {
		issuer string
		good   bool
	}{
		"same tenant":       {fake.Issuer(directory.DefaultTenantID), true},
		"template":          {"https://login.microsoftonline.com/{tenantid}/v2.0", true},
		"another tenant":    {fake.Issuer(secondTenant), false},
		"personal accounts": {fake.Issuer(directory.ConsumersTenantID), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := cfg
			cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				resp, err := fake.Client().Transport.RoundTrip(r)
				if err == nil && strings.HasSuffix(r.URL.Path, "/keys") {
					replaceInBody(t, resp, fake.Issuer(directory.DefaultTenantID), test.issuer)
				}
				return resp, err
			})}
			_, err := newAPI(t, cfg, entra.APIConfig{}).Verify(t.Context(), raw)
			assert.Equal(t, test.good, err == nil, "%v", err)
		})
	}
}

func TestVerifyNamesSetting(t *testing.T) {
	t.Parallel()
	old := newAPIFake(t, 1)
	_, err := newAPI(t, apiConfig(old), entra.APIConfig{}).Verify(t.Context(), mint(t, old, fakeentra.Token{}))
	assert.ErrorContains(t, err, "AUTH_TOKEN_VERSION")
	fake := newAPIFake(t, 2)
	api := newAPI(t, apiConfig(fake), entra.APIConfig{})
	_, err = api.Verify(t.Context(), mint(t, fake, fakeentra.Token{Tenant: secondTenant}))
	assert.ErrorContains(t, err, "AUTH_ALLOWED_TENANTS")
	idToken := func(claims map[string]any) {
		delete(claims, "azp")
		delete(claims, "scp")
	}
	_, err = api.Verify(t.Context(), mint(t, fake, fakeentra.Token{Edit: idToken}))
	assert.ErrorContains(t, err, "it names no client", "an ID token for a client and API with one registration")
	foreign := func(claims map[string]any) { claims["iss"] = "https://evil.example" }
	_, err = api.Verify(t.Context(), mint(t, fake, fakeentra.Token{Edit: foreign}))
	assert.ErrorContains(t, err, string(token.WrongIssuer))
}

// TestVerifyNamesSeenValue checks that a refusal has the value that came, and the setting that
// would accept it.
func TestVerifyNamesSeenValue(t *testing.T) {
	t.Parallel()
	fake := newAPIFake(t, 2)
	api := newAPI(t, apiConfig(fake), entra.APIConfig{})
	with := func(claim, value string) fakeentra.Token {
		return fakeentra.Token{Edit: func(claims map[string]any) { claims[claim] = value }}
	}
	for _, test := range []struct {
		token         fakeentra.Token
		seen, setting string
	}{
		{fakeentra.Token{Tenant: secondTenant}, secondTenant, "AUTH_ALLOWED_TENANTS"},
		{with("aud", "api://another"), "api://another", "AUTH_AUDIENCE"},
		{with("iss", "https://evil.example"), "https://evil.example", ""},
	} {
		_, err := api.Verify(t.Context(), mint(t, fake, test.token))
		var invalid *token.InvalidError
		require.ErrorAs(t, err, &invalid)
		assert.Equal(t, test.seen, invalid.Seen)
		assert.Equal(t, test.setting, invalid.Setting)
	}
}

func TestVerifySeparatesTenants(t *testing.T) {
	t.Parallel()
	fake := newAPIFake(t, 2)
	api := newAPI(t, apiConfig(fake), entra.APIConfig{Tenants: []string{secondTenant}})
	require.NoError(t, api.Check(t.Context()))
	assert.Equal(t, []string{fake.Issuer(directory.DefaultTenantID), fake.Issuer(secondTenant)}, api.Issuers())
	caller, err := api.Verify(t.Context(), mint(t, fake, fakeentra.Token{Tenant: secondTenant}))
	require.NoError(t, err)
	assert.Equal(t, secondTenant, caller.TenantID)
	_, err = api.Verify(
		t.Context(),
		mint(t, fake, fakeentra.Token{Edit: func(c map[string]any) { c["tid"] = secondTenant }}),
	)
	require.Error(t, err, "the issuer and tid name different tenants")
}

func TestVerifyTellsKindOfCaller(t *testing.T) {
	t.Parallel()
	fake := newAPIFake(t, 2)
	api := newAPI(t, apiConfig(fake), entra.APIConfig{})
	app := func(claims map[string]any) {
		for _, name := range []string{"scp", "name", "preferred_username", "sid"} {
			delete(claims, name)
		}
		claims["sub"] = claims["oid"]
		claims["roles"] = []string{"Tool.Call"}
	}
	providerOf := func(tenant string) string { return "https://sts.windows.net/" + tenant + "/" }
	with := func(name string, value any) func(map[string]any) {
		return func(claims map[string]any) { claims[name] = value }
	}
	statedApp := func(claims map[string]any) {
		app(claims)
		claims["idtyp"] = "app"
	}
	for _, test := range []struct {
		name string
		edit func(map[string]any)
		kind identity.Kind
	}{
		{"person", func(map[string]any) {}, identity.User},
		{"person of the tenant by idp", with("idp", providerOf(directory.DefaultTenantID)), identity.User},
		{"person without scopes", with("scp", ""), identity.User},
		{"member by acct", with("acct", 0), identity.User},
		{"guest by acct", with("acct", 1), identity.Guest},
		{"guest of another tenant", with("idp", providerOf(secondTenant)), identity.Guest},
		{"guest by mail", with("idp", "mail"), identity.Guest},
		{"application", app, identity.App},
		{"application by idtyp", statedApp, identity.App},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			caller, err := api.Verify(t.Context(), mint(t, fake, fakeentra.Token{Edit: test.edit}))
			require.NoError(t, err)
			assert.Equal(t, test.kind, caller.Kind)
			assert.Equal(t, test.kind == identity.App, caller.Scopes == nil)
		})
	}
}

func TestVerifyRefusesUnlistedClient(t *testing.T) {
	t.Parallel()
	fake := newAPIFake(t, 2)
	raw := mint(t, fake, fakeentra.Token{})
	listed := newAPI(t, apiConfig(fake), entra.APIConfig{Clients: []string{strings.ToUpper(directory.DefaultClientID)}})
	_, err := listed.Verify(t.Context(), raw)
	require.NoError(t, err)
	_, err = newAPI(t, apiConfig(fake), entra.APIConfig{Clients: []string{unknownID}}).Verify(t.Context(), raw)
	var refused *entra.ClientNotAllowedError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, directory.DefaultClientID, refused.ClientID)
}

// TestVerifyChecksExpiryLast verifies expired tokens that have another fault too. The guard does so
// while a call runs.
func TestVerifyChecksExpiryLast(t *testing.T) {
	t.Parallel()
	fake := newAPIFake(t, 2)
	var offset atomic.Int64
	cfg := apiConfig(fake)
	cfg.Now = func() time.Time { return clock().Add(time.Duration(offset.Load())) }
	open := newAPI(t, cfg, entra.APIConfig{})
	listed := newAPI(t, cfg, entra.APIConfig{Clients: []string{unknownID}})
	raw := mint(t, fake, fakeentra.Token{})
	odd := mint(t, fake, fakeentra.Token{Edit: func(claims map[string]any) { claims["ver"] = "1.0" }})
	_, err := open.Verify(t.Context(), raw)
	require.NoError(t, err)
	offset.Store(int64(3 * time.Hour))
	var invalid *token.InvalidError
	for range 2 {
		_, err = open.Verify(t.Context(), raw)
		require.ErrorAs(t, err, &invalid)
		assert.Equal(t, token.Expired, invalid.Reason)
		_, err = open.Verify(t.Context(), odd)
		require.ErrorAs(t, err, &invalid)
		assert.NotEqual(t, token.Expired, invalid.Reason)
		_, err = listed.Verify(t.Context(), raw)
		var client *entra.ClientNotAllowedError
		require.ErrorAs(t, err, &client)
	}
}

func TestNewAPIRefuses(t *testing.T) {
	t.Parallel()
	config := func(change func(*entra.Config)) func(*entra.Config, *entra.APIConfig) {
		return func(c *entra.Config, _ *entra.APIConfig) { change(c) }
	}
	rules := func(rules entra.APIConfig) func(*entra.Config, *entra.APIConfig) {
		return func(_ *entra.Config, a *entra.APIConfig) { *a = rules }
	}
	for _, test := range []struct {
		name   string
		change func(*entra.Config, *entra.APIConfig)
		key    string // "" means that NewAPI accepts it
	}{
		{"nothing", config(func(*entra.Config) {}), ""},
		{"not a missing secret", config(func(c *entra.Config) { c.ClientSecret = "" }), ""},
		{"not both versions", rules(entra.APIConfig{Versions: []int{1, 2}}), ""},
		{"not an https identifier", rules(entra.APIConfig{IdentifierURI: "https://mcp.contoso.com/mcp"}), ""},
		{"tenant by domain", config(func(c *entra.Config) { c.TenantID = directory.DefaultDomain }), "AUTH_TENANT_ID"},
		{"common", config(func(c *entra.Config) { c.TenantID = "common" }), "AUTH_TENANT_ID"},
		{"every tenant", rules(entra.APIConfig{Tenants: []string{"*"}}), "AUTH_ALLOWED_TENANTS"},
		{"organizations", rules(entra.APIConfig{Tenants: []string{"organizations"}}), "AUTH_ALLOWED_TENANTS"},
		{"client without an ID", rules(entra.APIConfig{Clients: []string{"any"}}), "AUTH_ALLOWED_CLIENTS"},
		{"version 3", rules(entra.APIConfig{Versions: []int{3}}), "AUTH_TOKEN_VERSION"},
		{"identifier with a slash at the end", rules(entra.APIConfig{IdentifierURI: "api://x/"}), "AUTH_AUDIENCE"},
		{"identifier without a scheme", rules(entra.APIConfig{IdentifierURI: "tools"}), "AUTH_AUDIENCE"},
		{"identifier with a quote", rules(entra.APIConfig{IdentifierURI: `api://x"`}), "AUTH_AUDIENCE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := entra.Config{
				TenantID:     directory.DefaultTenantID,
				ClientID:     directory.DefaultAPIID,
				ClientSecret: "canary",
			}
			rules := entra.APIConfig{}
			test.change(&cfg, &rules)
			_, err := entra.NewAPI(cfg, rules)
			if test.key == "" {
				require.NoError(t, err)
				return
			}
			var wrong *entra.ConfigError
			require.ErrorAs(t, err, &wrong)
			assert.Equal(t, test.key, wrong.Key)
		})
	}
}

// TestIssuersFollowCloud checks that AUTH_AUTHORITY decides the authority, the issuers and Graph.
func TestIssuersFollowCloud(t *testing.T) {
	t.Parallel()
	for authority, test := range map[string]struct {
		cloud      fakeentra.Cloud
		graph, sts string
	}{
		"login.microsoftonline.com": {fakeentra.PublicCloud, "graph.microsoft.com", "sts.windows.net"},
		"login.microsoftonline.us":  {fakeentra.USGov, "graph.microsoft.us", "sts.windows.net"},
		"login.partner.microsoftonline.cn": {
			fakeentra.China, "microsoftgraph.chinacloudapi.cn", "sts.chinacloudapi.cn",
		},
	} {
		for _, version := range []int{1, 2} {
			fake, err := fakeentra.New(
				fakeentra.Config{Directory: apiDirectory(version), Cloud: test.cloud, AutoSignIn: true},
			)
			require.NoError(t, err)
			var graph atomic.Value
			cfg := apiConfig(fake)
			cfg.Authority = authority
			cfg.Now = nil
			cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path == "/v1.0/me" {
					graph.Store(r.URL.Host)
				}
				return fake.Client().Transport.RoundTrip(r)
			})}
			api := newAPI(t, cfg, entra.APIConfig{Versions: []int{version}})
			raw := mint(t, fake, fakeentra.Token{})
			if version == 1 {
				assert.Equal(t, "https://"+test.sts+"/"+directory.DefaultTenantID+"/", token.UnverifiedIssuer(raw))
			}
			caller, err := api.Verify(t.Context(), raw)
			require.NoError(t, err, authority)
			assert.Equal(t, "https://"+authority+"/"+directory.DefaultTenantID+"/v2.0", caller.Issuer)
			graphToken, err := api.OnBehalfOf(t.Context(), caller, raw, []string{"User.Read"})
			require.NoError(t, err, authority)
			me, err := api.Me(t.Context(), graphToken)
			require.NoError(t, err)
			assert.Equal(t, "Adele Vance", me.DisplayName)
			assert.Equal(t, test.graph, graph.Load())
		}
	}
}
