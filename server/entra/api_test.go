package entra_test

import (
	"maps"
	"net/http"
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

const (
	secondTenant = "5a1e0001-0000-4000-8000-000000000002"
	apiSecret    = "secret of the api"
	nobody       = "99999999-0000-4000-8000-000000000000"
)

// apiDirectory has an API that can go on behalf of people, registered in the first tenant and used
// by both.
func apiDirectory(version int) directory.Directory {
	all := directory.Default()
	home := &all.Tenants[0]
	api := &home.Apps[1]
	api.TokenVersion = version
	api.Secrets = []string{apiSecret}
	api.MultiTenant = true
	api.Consented = []string{"User.Read"}
	api.Roles = []directory.Role{{Value: "Tool.Call"}}
	other := directory.Tenant{
		ID:          secondTenant,
		DisplayName: "Fabrikam",
		Domains:     []string{"fabrikam.onmicrosoft.com"},
		Users: []directory.User{{
			ID:                "5a1e0004-0000-4000-8000-000000000009",
			UserPrincipalName: "ida@fabrikam.onmicrosoft.com",
			DisplayName:       "Ida",
		}},
	}
	guestApp := home.Apps[0]
	guestApp.ID = "5a1e0002-0000-4000-8000-000000000009"
	guestApp.ObjectID = "5a1e0002-0000-4000-8000-0000000000fe"
	other.Apps = []directory.App{guestApp, *api}
	other.Apps[1].MultiTenant = false
	all.Tenants = append(all.Tenants, other)
	return all
}

func newAPIFake(t *testing.T, version int) *fakeentra.Fake {
	t.Helper()
	fake, err := fakeentra.New(fakeentra.Config{Directory: apiDirectory(version), Now: clock})
	require.NoError(t, err)
	return fake
}

func apiConfig(fake *fakeentra.Fake) entra.Config {
	return entra.Config{
		TenantID:            directory.DefaultTenantID,
		ClientID:            directory.DefaultAPIID,
		ClientSecret:        apiSecret,
		HTTPClient:          fake.Client(),
		TrustPublicFakeKeys: true,
		Now:                 clock,
	}
}

func newAPI(t *testing.T, cfg entra.Config, rules entra.APIConfig) *entra.API {
	t.Helper()
	api, err := entra.NewAPI(cfg, rules)
	require.NoError(t, err)
	return api
}

func mint(t *testing.T, fake *fakeentra.Fake, want fakeentra.Token) string {
	t.Helper()
	raw, err := fake.Mint(want)
	require.NoError(t, err)
	return raw
}

func TestAnAPITakesItsTokens(t *testing.T) {
	t.Parallel()
	for version, name := range map[int]string{1: "AdeleV@contoso.onmicrosoft.com", 2: "AdeleV@contoso.onmicrosoft.com"} {
		fake := newAPIFake(t, version)
		api := newAPI(t, apiConfig(fake), entra.APIConfig{Versions: []int{version}})
		require.NoError(t, api.Check(t.Context()))
		caller, err := api.Verify(t.Context(), mint(t, fake, fakeentra.Token{}))
		require.NoError(t, err)
		assert.Equal(t, identity.User, caller.Kind)
		assert.Equal(
			t,
			fake.Issuer(directory.DefaultTenantID),
			caller.Issuer,
			"one person is one person in both versions",
		)
		assert.Equal(t, directory.DefaultTenantID, caller.TenantID)
		assert.Equal(t, directory.DefaultUserID, caller.ObjectID)
		assert.Equal(t, directory.DefaultClientID, caller.ClientID)
		assert.Equal(t, name, caller.Username)
		assert.Equal(t, []string{"tool.read", "tool.write"}, caller.Scopes)
		assert.NotEmpty(t, caller.TokenID)
		assert.True(t, caller.Expiry.After(noon))
	}
}

func TestWhatAnAPIRefuses(t *testing.T) {
	t.Parallel()
	edit := func(change func(claims map[string]any)) fakeentra.Token { return fakeentra.Token{Edit: change} }
	set := func(name string, value any) fakeentra.Token {
		return edit(func(claims map[string]any) { claims[name] = value })
	}
	without := func(names ...string) fakeentra.Token {
		return edit(func(claims map[string]any) {
			maps.DeleteFunc(
				claims,
				func(name string, _ any) bool { return strings.Contains(" "+strings.Join(names, " ")+" ", " "+name+" ") },
			)
		})
	}
	for name, want := range map[string]fakeentra.Token{
		"a tenant that is not listed":            {Tenant: secondTenant},
		"the tenant's name, signed for another":  edit(func(c map[string]any) { c["tid"] = secondTenant }),
		"a v1 issuer":                            set("iss", "https://sts.windows.net/"+directory.DefaultTenantID+"/"),
		"a slash at the end of the issuer":       set("iss", "https://login.microsoftonline.com/"+directory.DefaultTenantID+"/v2.0/"),
		"the template for an issuer":             set("iss", "https://login.microsoftonline.com/{tenantid}/v2.0"),
		"common":                                 set("iss", "https://login.microsoftonline.com/common/v2.0"),
		"another cloud":                          set("iss", "https://login.microsoftonline.us/"+directory.DefaultTenantID+"/v2.0"),
		"no tenant":                              without("tid"),
		"a tenant in capitals":                   set("tid", strings.ToUpper(directory.DefaultTenantID)),
		"another version":                        set("ver", "1.0"),
		"no version":                             without("ver"),
		"for Graph":                              set("aud", "https://graph.microsoft.com"),
		"for the client":                         set("aud", directory.DefaultClientID),
		"for a name that begins like ours":       set("aud", "api://"+directory.DefaultAPIID+"x"),
		"for the parent of ours":                 set("aud", "api://"),
		"for two":                                set("aud", []string{directory.DefaultAPIID, directory.DefaultClientID}),
		"for nobody":                             without("aud"),
		"an ID token":                            without("azp", "scp"),
		"a client of two names":                  set("appid", directory.DefaultClientID),
		"a client that is no ID":                 set("azp", "me"),
		"no object":                              without("oid"),
		"an object that is no ID":                set("oid", "../../x"),
		"no subject":                             without("sub"),
		"an application with a scope":            set("idtyp", "app"),
		"a device":                               set("idtyp", "device"),
		"no scope, though the subject is theirs": without("scp"),
		"scopes with commas and blanks":          set("scp", "tool.read,  tool.write"),
		"scopes with a tab":                      set("scp", "tool.read\ttool.write"),
		"scopes in a list":                       set("scp", []string{"tool.read"}),
		"roles that are no list":                 set("roles", "Tool.Call"),
		"bound to a key":                         set("cnf", map[string]string{"jkt": "x"}),
		"no end":                                 without("exp"),
		"over":                                   set("exp", noon.Add(-2*time.Minute).Unix()),
		"not yet":                                set("nbf", noon.Add(10*time.Minute).Unix()),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newAPIFake(t, 2)
			api := newAPI(t, apiConfig(fake), entra.APIConfig{})
			_, err := api.Verify(t.Context(), mint(t, fake, want))
			var invalid *token.InvalidError
			require.ErrorAs(t, err, &invalid)
			assert.NotContains(t, err.Error(), "5a1e", "a reason holds nothing of the token")
		})
	}
}

func TestAKeyOfAnotherIssuerProvesNothing(t *testing.T) {
	t.Parallel()
	fake := newAPIFake(t, 2)
	cfg := apiConfig(fake)
	raw := mint(t, fake, fakeentra.Token{})
	for name, test := range map[string]struct {
		issuer string
		good   bool
	}{
		"the tenant's own":   {fake.Issuer(directory.DefaultTenantID), true},
		"the template":       {"https://login.microsoftonline.com/{tenantid}/v2.0", true},
		"another tenant's":   {fake.Issuer(secondTenant), false},
		"personal accounts'": {fake.Issuer(directory.ConsumersTenantID), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := cfg
			one.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				resp, err := fake.Client().Transport.RoundTrip(r)
				if err == nil && strings.HasSuffix(r.URL.Path, "/keys") {
					replaceInBody(t, resp, fake.Issuer(directory.DefaultTenantID), test.issuer)
				}
				return resp, err
			})}
			_, err := newAPI(t, one, entra.APIConfig{}).Verify(t.Context(), raw)
			assert.Equal(t, test.good, err == nil, "%v", err)
		})
	}
}

func TestALogSaysWhichSettingATokenMissed(t *testing.T) {
	t.Parallel()
	old := newAPIFake(t, 1)
	_, err := newAPI(t, apiConfig(old), entra.APIConfig{}).Verify(t.Context(), mint(t, old, fakeentra.Token{}))
	assert.ErrorContains(t, err, "AUTH_TOKEN_VERSION")
	fake := newAPIFake(t, 2)
	api := newAPI(t, apiConfig(fake), entra.APIConfig{})
	_, err = api.Verify(t.Context(), mint(t, fake, fakeentra.Token{Tenant: secondTenant}))
	assert.ErrorContains(t, err, "AUTH_ALLOWED_TENANTS")
	_, err = api.Verify(
		t.Context(),
		mint(t, fake, fakeentra.Token{Edit: func(c map[string]any) { delete(c, "azp"); delete(c, "scp") }}),
	)
	assert.ErrorContains(t, err, "it names no client", "an ID token, where client and API are one registration")
	_, err = api.Verify(
		t.Context(),
		mint(t, fake, fakeentra.Token{Edit: func(c map[string]any) { c["iss"] = "https://evil.example" }}),
	)
	assert.ErrorContains(t, err, string(token.WrongIssuer))
}

// TestALogSaysWhatATokenHadInstead reads what a refusal saw, and which setting would let it in.
func TestALogSaysWhatATokenHadInstead(t *testing.T) {
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

func TestListedTenantsAreToldApart(t *testing.T) {
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
	require.Error(t, err, "the issuer says one tenant, the claim another")
}

func TestPeopleGuestsAndApplicationsAreToldApart(t *testing.T) {
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

func TestOnlyListedClientsMayCall(t *testing.T) {
	t.Parallel()
	fake := newAPIFake(t, 2)
	raw := mint(t, fake, fakeentra.Token{})
	_, err := newAPI(
		t,
		apiConfig(fake),
		entra.APIConfig{Clients: []string{strings.ToUpper(directory.DefaultClientID)}},
	).Verify(t.Context(), raw)
	require.NoError(t, err)
	_, err = newAPI(t, apiConfig(fake), entra.APIConfig{Clients: []string{nobody}}).Verify(t.Context(), raw)
	var refused *entra.ClientNotAllowedError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, directory.DefaultClientID, refused.ClientID)
}

// TestExpiryHidesNothing judges expired tokens that would not be taken anyway, as the guard does
// while a call runs.
func TestExpiryHidesNothing(t *testing.T) {
	t.Parallel()
	fake := newAPIFake(t, 2)
	var offset atomic.Int64
	cfg := apiConfig(fake)
	cfg.Now = func() time.Time { return clock().Add(time.Duration(offset.Load())) }
	open := newAPI(t, cfg, entra.APIConfig{})
	listed := newAPI(t, cfg, entra.APIConfig{Clients: []string{"11111111-2222-4333-8444-555555555555"}})
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

func TestAnAPIsConfigurationIsReadStrictly(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*entra.Config, *entra.APIConfig)
		key    string
	}{
		"as it is":                  {func(*entra.Config, *entra.APIConfig) {}, ""},
		"no secret":                 {func(c *entra.Config, _ *entra.APIConfig) { c.ClientSecret = "" }, ""},
		"both versions":             {func(_ *entra.Config, a *entra.APIConfig) { a.Versions = []int{1, 2} }, ""},
		"an identifier of https":    {func(_ *entra.Config, a *entra.APIConfig) { a.IdentifierURI = "https://mcp.contoso.com/mcp" }, ""},
		"a tenant by domain":        {func(c *entra.Config, _ *entra.APIConfig) { c.TenantID = directory.DefaultDomain }, "AUTH_TENANT_ID"},
		"common":                    {func(c *entra.Config, _ *entra.APIConfig) { c.TenantID = "common" }, "AUTH_TENANT_ID"},
		"every tenant":              {func(_ *entra.Config, a *entra.APIConfig) { a.Tenants = []string{"*"} }, "AUTH_ALLOWED_TENANTS"},
		"organizations":             {func(_ *entra.Config, a *entra.APIConfig) { a.Tenants = []string{"organizations"} }, "AUTH_ALLOWED_TENANTS"},
		"a client that is none":     {func(_ *entra.Config, a *entra.APIConfig) { a.Clients = []string{"any"} }, "AUTH_ALLOWED_CLIENTS"},
		"version 3":                 {func(_ *entra.Config, a *entra.APIConfig) { a.Versions = []int{3} }, "AUTH_TOKEN_VERSION"},
		"a slash at the end":        {func(_ *entra.Config, a *entra.APIConfig) { a.IdentifierURI = "api://x/" }, "AUTH_AUDIENCE"},
		"an identifier of no URI":   {func(_ *entra.Config, a *entra.APIConfig) { a.IdentifierURI = "tools" }, "AUTH_AUDIENCE"},
		"an identifier with a quot": {func(_ *entra.Config, a *entra.APIConfig) { a.IdentifierURI = `api://x"` }, "AUTH_AUDIENCE"},
	} {
		t.Run(name, func(t *testing.T) {
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

// TestTheCloudDecidesTheNames: of authority, issuers and Graph, one setting decides all.
func TestTheCloudDecidesTheNames(t *testing.T) {
	t.Parallel()
	for authority, test := range map[string]struct {
		cloud      fakeentra.Cloud
		graph, sts string
	}{
		"login.microsoftonline.com":        {fakeentra.PublicCloud, "graph.microsoft.com", "sts.windows.net"},
		"login.microsoftonline.us":         {fakeentra.USGov, "graph.microsoft.us", "sts.windows.net"},
		"login.partner.microsoftonline.cn": {fakeentra.China, "microsoftgraph.chinacloudapi.cn", "sts.chinacloudapi.cn"},
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
			onward, err := api.OnBehalfOf(t.Context(), caller, raw, []string{"User.Read"})
			require.NoError(t, err, authority)
			me, err := api.Me(t.Context(), onward)
			require.NoError(t, err)
			assert.Equal(t, "Adele Vance", me.DisplayName)
			assert.Equal(t, test.graph, graph.Load())
		}
	}
}
