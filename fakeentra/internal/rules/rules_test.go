package rules

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

const (
	fileTenantID  = "5a1e0001-0000-4000-8000-000000000001"
	otherTenantID = "5a1e0001-0000-4000-8000-000000000002"
	clientID      = "5a1e0002-0000-4000-8000-000000000001"
	apiID         = "5a1e0002-0000-4000-8000-000000000002"
	unlistedID    = "5a1e0002-0000-4000-8000-000000000003"
	personalID    = "5a1e0002-0000-4000-8000-000000000004"
)

// testDirectory has a tenant with a client and an API, and a second tenant with a person.
func testDirectory() *directory.Directory {
	return &directory.Directory{Tenants: []directory.Tenant{
		{
			ID:          fileTenantID,
			DisplayName: "Files",
			Domains:     []string{"files.example"},
			Apps: []directory.App{
				{
					ID:           clientID,
					DisplayName:  "client",
					Web:          []string{"https://app.example/cb"},
					SPA:          []string{"http://localhost:3000/spa", "http://127.0.0.1:3000/spa"},
					PublicClient: []string{"http://127.0.0.1:9/cb", "app://cb"},
					Permissions:  []string{"api://files/read", "User.Read"},
				},
				{
					ID:             apiID,
					DisplayName:    "files",
					IdentifierURIs: []string{"api://files"},
					Scopes:         []directory.Scope{{Name: "read"}, {Name: "manage", AdminOnly: true}},
				},
				{ID: unlistedID, DisplayName: "unlisted", IdentifierURIs: []string{"api://unlisted"}},
				{ID: personalID, DisplayName: "personal", PersonalAccounts: true},
			},
			Users: []directory.User{
				{ID: "5a1e0003-0000-4000-8000-000000000001", UserPrincipalName: "ann@files.example"},
				{ID: "5a1e0003-0000-4000-8000-000000000002", UserPrincipalName: "bob@files.example", Password: "right"},
			},
		},
		{
			ID:          otherTenantID,
			DisplayName: "Other",
			Domains:     []string{"other.example"},
			Users: []directory.User{
				{ID: "5a1e0003-0000-4000-8000-000000000003", UserPrincipalName: "eve@other.example"},
			},
		},
	}}
}

func testRules() *Rules {
	return &Rules{
		Directory: testDirectory(),
		Authority: "https://login.example",
		STS:       "https://sts.example",
		GraphURL:  "https://graph.example",
	}
}

// number is the AADSTS number of an error, or 0.
func number(problem *aadsts.Error) int {
	if problem == nil {
		return 0
	}
	return problem.Number
}

func TestResolve(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		scope   string
		atToken bool
		want    []string // permissions as consent remembers them
		number  int
	}{
		{"OpenID Connect scopes in any case", "OpenID profile openid", false,
			[]string{directory.GraphAppID + "/openid", directory.GraphAppID + "/profile"}, 0},
		{"a bare name of Graph", "user.read", false, []string{directory.GraphAppID + "/User.Read"}, 0},
		{"Graph by the fake's own address", "https://graph.example/User.Read", false,
			[]string{directory.GraphAppID + "/User.Read"}, 0},
		{"an API's scope", "api://files/read", false, []string{apiID + "/read"}, 0},
		{"every listed scope", "api://files/.default", false, []string{apiID + "/read"}, 0},
		{"an unknown API", "api://unknown/read", false, nil, 500011},
		{"an unknown scope", "api://files/write", false, nil, 650053},
		{"an unknown scope at the token endpoint", "api://files/write", true, nil, 70011},
		{"an API that the client does not list", "api://unlisted/.default", false, nil, 650057},
		{".default beside a name", "api://files/.default User.Read", false, nil, 70011},
	} {
		r := testRules()
		tenant := &r.Directory.Tenants[0]
		asked, problem := r.Resolve(tenant, tenant.App(clientID), test.scope, test.atToken)
		assert.Equal(t, test.number, number(problem), test.name)
		if problem == nil {
			assert.Equal(t, test.want, asked.All(), test.name)
		}
	}
}

func TestMatchRedirect(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		redirect string
		exact    bool
		want     Platform
		number   int
	}{
		{"equal", "https://app.example/cb", false, Web, 0},
		{"another path", "https://app.example/cb/x", false, "", 50011},
		{"another host", "https://app.example.evil.example/cb", false, "", 50011},
		{"user information", "https://x@app.example/cb", false, "", 50011},
		{"another port of localhost", "http://localhost:4/spa", false, SPA, 0},
		{"another port of 127.0.0.1", "http://127.0.0.1:4/cb", false, PublicClient, 0},
		{"another port of 127.0.0.1, refused", "http://127.0.0.1:4/cb", true, "", 50011},
		{"another port of 127.0.0.1, of a script", "http://127.0.0.1:4/spa", false, "", 50011},
		{"an app's own scheme", "app://cb", false, PublicClient, 0},
		{"an app's own scheme with a path", "app://cb/x", false, "", 50011},
	} {
		r := testRules()
		r.ExactLoopbackPort = test.exact
		got, problem := r.MatchRedirect(r.Directory.Tenants[0].App(clientID), test.redirect)
		assert.Equal(t, test.want, got, test.name)
		assert.Equal(t, test.number, number(problem), test.name)
	}
	for _, malformed := range []string{
		"/cb",
		"https://app.example/cb#x",
		"https://app.example\\cb",
		"https://app.example/\n",
	} {
		r := testRules()
		_, problem := r.MatchRedirect(r.Directory.Tenants[0].App(clientID), malformed)
		assert.Equal(t, number(aadsts.RedirectMalformed()), number(problem), "%q", malformed)
	}
}

func TestCheckAccess(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(tenant *directory.Tenant, d *Delegation)
		number int
	}{
		{"a person of the tenant", func(*directory.Tenant, *Delegation) {}, 0},
		{"a disabled person", func(_ *directory.Tenant, d *Delegation) { d.User.Disabled = true }, 50057},
		{"a locked person", func(_ *directory.Tenant, d *Delegation) { d.User.Locked = true }, 50053},
		{"an expired password", func(_ *directory.Tenant, d *Delegation) { d.User.PasswordExpired = true }, 50055},
		{"no assignment", func(_ *directory.Tenant, d *Delegation) { d.Client.AssignmentRequired = true }, 50105},
		{"no assignment to the API", func(tenant *directory.Tenant, _ *Delegation) {
			tenant.App(apiID).AssignmentRequired = true
		}, 50105},
		{"no second factor", func(tenant *directory.Tenant, _ *Delegation) {
			tenant.Policies = []directory.Policy{{Name: "mfa", Require: directory.RequireMFA}}
		}, 50076},
		{"a second factor", func(tenant *directory.Tenant, d *Delegation) {
			tenant.Policies = []directory.Policy{{Name: "mfa", Require: directory.RequireMFA}}
			d.SecondFactor = true
		}, 0},
		{"a device that is not compliant", func(tenant *directory.Tenant, _ *Delegation) {
			tenant.Policies = []directory.Policy{{Name: "device", Require: directory.RequireCompliantDevice}}
		}, 53000},
	} {
		r := testRules()
		tenant := &r.Directory.Tenants[0]
		asked, problem := r.Resolve(tenant, tenant.App(clientID), "api://files/read", false)
		assert.Zero(t, number(problem), test.name)
		d := &Delegation{Tenant: tenant, Client: tenant.App(clientID), User: &tenant.Users[0], Asked: asked}
		test.change(tenant, d)
		assert.Equal(t, test.number, number(CheckAccess(d)), test.name)
	}
}

func TestFindClient(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		id     string
		shared bool
		number int
	}{
		{"an app of the tenant", clientID, false, 0},
		{"a single-tenant app at a shared endpoint", clientID, true, 50194},
		{"an app for personal accounts", personalID, false, 9002331},
		{"an unknown app", "5a1e0002-0000-4000-8000-00000000000f", false, 700016},
	} {
		r := testRules()
		_, problem := r.FindClient(&r.Directory.Tenants[0], test.shared, test.id)
		assert.Equal(t, test.number, number(problem), test.name)
	}
	for id, want := range map[string]int{"": 900144, "name": 700038, "00000000-0000-0000-0000-000000000000": 700038} {
		assert.Equal(t, want, number(CheckClientID(id)), "%q", id)
	}
}

func TestNeedsAdmin(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		scope  string
		change func(tenant *directory.Tenant)
		want   bool
	}{
		{"a scope for everyone", "api://files/read", func(*directory.Tenant) {}, false},
		{"a scope for administrators", "api://files/manage", func(*directory.Tenant) {}, true},
		{
			"an administrator asks",
			"api://files/manage",
			func(tenant *directory.Tenant) { tenant.Users[0].Admin = true },
			false,
		},
		{"no consent of users", "User.Read", func(tenant *directory.Tenant) { tenant.NoUserConsent = true }, true},
	} {
		r := testRules()
		tenant := &r.Directory.Tenants[0]
		test.change(tenant)
		asked, problem := r.Resolve(tenant, tenant.App(clientID), test.scope, false)
		assert.Zero(t, number(problem), test.name)
		assert.Equal(t, test.want, r.NeedsAdmin(tenant, &tenant.Users[0], asked), test.name)
	}
}

func TestMatchesResource(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		resource string
		scope    string
		number   int
	}{
		{"the identifier URI of the API", "api://files", "api://files/read", 0},
		{"another API", "api://unlisted", "api://files/read", 9010010},
		{"the application ID", apiID, "api://files/read", 9010010},
		{"an address", "https://files.example/mcp", "api://files/read", 9010010},
		{"no scope of an API", "api://files", "openid", 9010010},
		{"a name without a resource", "api://files", "read", 9010010},
		{"Graph", "https://graph.microsoft.com", "User.Read", 0},
		{"Graph at the fake's own address", "https://graph.example", "https://graph.microsoft.com/User.Read", 0},
		{"Graph for OpenID Connect scopes", "https://graph.microsoft.com", "openid profile", 0},
		{"Graph by its ID", directory.GraphAppID, "User.Read", 9010010},
		{"two resources", "https://graph.microsoft.com", "User.Read api://files/read", 9010010},
	} {
		r := testRules()
		tenant := &r.Directory.Tenants[0]
		apps, problem := r.ResourcesOf(tenant, test.scope)
		assert.Zero(t, number(problem), test.name)
		assert.Equal(t, test.number, number(r.MatchesResource(tenant, test.resource, apps)), test.name)
	}
}

func TestReadClaimsRequest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		text   string
		want   ClaimsRequest
		number int
	}{
		{"nothing", "", ClaimsRequest{}, 0},
		{"an authentication context", `{"access_token":{"acrs":{"value":"c1"}}}`,
			ClaimsRequest{SecondFactor: true, Contexts: []string{"c1"}}, 0},
		{"a capability", `{"access_token":{"xms_cc":{"values":["CP1"]}}}`,
			ClaimsRequest{Capabilities: []string{"CP1"}}, 0},
		{"no JSON", "{", ClaimsRequest{}, 90014},
	} {
		got, problem := ReadClaimsRequest(test.text)
		assert.Equal(t, test.number != 0, problem != nil, test.name)
		assert.Equal(t, test.want, got, test.name)
	}
}

func TestTenantPath(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		segment string
		tenant  string
		issuer  string
		number  int
	}{
		{fileTenantID, fileTenantID, "https://login.example/" + fileTenantID + "/v2.0", 0},
		{"Files.example", fileTenantID, "https://login.example/" + fileTenantID + "/v2.0", 0},
		{"common", "", "https://login.example/{tenantid}/v2.0", 0},
		{"consumers", directory.ConsumersTenantID, "https://login.example/" + directory.ConsumersTenantID + "/v2.0", 0},
		{"unknown.example", "", "", 90002},
		{"missing", "", "", 900023},
	} {
		path, problem := testRules().TenantPath(test.segment)
		assert.Equal(t, test.number, number(problem), test.segment)
		if problem != nil {
			continue
		}
		assert.Equal(t, test.issuer, path.Issuer, test.segment)
		if path.Tenant != nil {
			assert.Equal(t, test.tenant, path.Tenant.ID, test.segment)
		} else {
			assert.Empty(t, test.tenant, test.segment)
		}
	}
}

func TestFindAccount(t *testing.T) {
	t.Parallel()
	r := testRules()
	files, _ := r.TenantPath("files.example")
	_, user := r.FindUser(files, "eve@other.example")
	assert.Nil(t, user, "a person of another tenant")
	assert.Equal(t, 50020, number(r.ForeignAccount(files, clientID, "eve@other.example")))
	assert.Zero(t, number(r.ForeignAccount(files, clientID, "missing@other.example")))
	common, _ := r.TenantPath("common")
	tenant, user := r.FindUser(common, "eve@other.example")
	assert.Equal(t, otherTenantID, tenant.ID)
	assert.Equal(t, "eve@other.example", user.UserPrincipalName)
	_, user = r.PickUser(nil, "bob@files.example")
	assert.Equal(t, "bob@files.example", user.UserPrincipalName)
	_, user = r.PickUser(&r.Directory.Tenants[1], "bob@files.example")
	assert.Equal(t, "eve@other.example", user.UserPrincipalName, "the first person of the tenant")
}

func TestAfterLogout(t *testing.T) {
	t.Parallel()
	r := testRules()
	for _, test := range []struct {
		name, target, state, want string
	}{
		{"a registered address", "https://app.example/cb", "", "https://app.example/cb"},
		{"a state", "https://app.example/cb", "a b", "https://app.example/cb?state=a+b"},
		{"an address that no app registered", "https://evil.example/", "", ""},
		{"no address", "", "x", ""},
	} {
		assert.Equal(t, test.want, r.AfterLogout(nil, test.target, test.state), test.name)
	}
}

func TestAddOptionalClaims(t *testing.T) {
	t.Parallel()
	r := testRules()
	r.AzureADGraph = "https://graph.example"
	tenant := &r.Directory.Tenants[0]
	user := &tenant.Users[0]
	user.HomeTenant = otherTenantID
	claims := map[string]any{}
	d := &Delegation{Tenant: tenant, User: user, SID: "sid"}
	r.AddOptionalClaims(claims, d, tenant.App(apiID), []string{"acct", "upn", "sid", "email", "tenant_region_scope"})
	assert.Equal(t, map[string]any{
		"acct":                1,
		"idp":                 "https://sts.example/" + otherTenantID + "/",
		"sid":                 "sid",
		"tenant_region_scope": "WW",
	}, claims)
}
