package fakeentra_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// tokensOf signs the first person in for a scope and returns the answer of the token endpoint.
func tokensOf(t *testing.T, d directory.Directory, scope string) answer {
	t.Helper()
	fake := newFake(t, fakeentra.Config{Directory: d, AutoSignIn: true})
	got := token(t, fake, redemption(signIn(t, fake, map[string]string{"scope": scope}), nil))
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	return got
}

// The API chooses the version of its tokens, whatever the endpoint, and it is 1 unless it says
// otherwise.
func TestTokenVersionIsTheResourcesChoice(t *testing.T) {
	t.Parallel()
	const uri = "api://" + directory.DefaultAPIID
	for _, one := range []struct {
		version             int
		scope, audience, by string
	}{
		{0, uri + "/tool.read", uri, "appid"},
		{1, uri + "/tool.read", uri, "appid"},
		{1, directory.DefaultAPIID + "/tool.read", directory.DefaultAPIID, "appid"},
		{2, uri + "/tool.read", directory.DefaultAPIID, "azp"},
	} {
		got := tokensOf(
			t,
			changed(func(t *directory.Tenant) { t.Apps[1].TokenVersion = one.version }),
			"openid profile "+one.scope,
		)
		header, payload := claims(t, got.text("access_token"))
		name := fmt.Sprint(one)
		assert.Equal(t, one.audience, payload["aud"], name)
		assert.Equal(t, directory.DefaultClientID, payload[one.by], name)
		if one.version == 2 {
			assert.Equal(t, "2.0", payload["ver"], name)
			assert.NotContains(t, header, "x5t", name)
			assert.NotContains(t, payload, "upn", name)
		} else {
			assert.Equal(t, "1.0", payload["ver"], name)
			assert.Equal(t, "https://sts.windows.net/"+directory.DefaultTenantID+"/", payload["iss"], name)
			assert.Equal(t, header["kid"], header["x5t"], name)
			assert.Equal(t, directory.DefaultUser, payload["upn"], name)
			assert.Equal(t, []any{"pwd", "mfa"}, payload["amr"], name)
		}
		_, id := claims(t, got.text("id_token"))
		assert.Equal(t, "2.0", id["ver"], "the ID token follows the endpoint")
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	const group, daemon = "5a1e0005-0000-4000-8000-000000000001", "5a1e0002-0000-4000-8000-0000000000ff"
	d := changed(func(t *directory.Tenant) {
		t.Groups = []directory.Group{{ID: group, DisplayName: "Writers", Members: []string{directory.DefaultUserID}}}
		t.Apps[1].Roles = []directory.Role{{Value: "Tool.Admin"}, {Value: "Tool.Writer"}, {Value: "Tool.Daemon"}}
		t.Apps[1].Assignments = []directory.Assignment{
			{Principal: directory.DefaultUserID, Role: "Tool.Admin"},
			{Principal: group, Role: "Tool.Writer"},
			{Principal: daemon, Role: "Tool.Daemon"},
		}
	})
	_, person := claims(t, tokensOf(t, d, apiScope).text("access_token"))
	assert.Equal(t, []any{"Tool.Admin", "Tool.Writer"}, person["roles"])
	fake := newFake(t, fakeentra.Config{Directory: d})
	credentials := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {directory.DefaultClientID},
		"client_secret": {directory.DefaultClientSecret},
		"scope":         {"api://" + directory.DefaultAPIID + "/.default"},
	}
	_, app := claims(t, token(t, fake, credentials).text("access_token"))
	assert.Equal(t, []any{"Tool.Daemon"}, app["roles"])
	assert.NotContains(t, app, "idtyp", "only as an optional claim")
	plain := newFake(t, fakeentra.Config{})
	_, none := claims(t, token(t, plain, credentials).text("access_token"))
	assert.NotContains(t, none, "roles", "absent, not empty")
}

func TestAssignmentRequired(t *testing.T) {
	t.Parallel()
	d := changed(func(t *directory.Tenant) {
		t.Apps[0].AssignmentRequired = true
		t.Apps[0].Assignments = []directory.Assignment{{Principal: t.Users[1].ID}}
	})
	fake := newFake(t, fakeentra.Config{Directory: d, AutoSignIn: true})
	refused := authorize(t, fake, request(nil))
	assert.Equal(t, http.StatusOK, refused.Status)
	assert.Contains(t, refused.Body, "AADSTS50105")
	assert.NotEmpty(t, signIn(t, fake, map[string]string{"login_hint": "AlexW@contoso.onmicrosoft.com"}))
}

func TestGroups(t *testing.T) {
	t.Parallel()
	with := func(n int) directory.Directory {
		return changed(func(t *directory.Tenant) {
			t.Apps[1].GroupMembershipClaims = "SecurityGroup"
			for i := range n {
				t.Groups = append(
					t.Groups,
					directory.Group{
						ID:          fmt.Sprintf("5a1e0005-0000-4000-8000-%012d", i),
						DisplayName: fmt.Sprint("Group ", i),
						Members:     []string{directory.DefaultUserID},
					},
				)
			}
		})
	}
	_, none := claims(t, tokensOf(t, with(0), apiScope).text("access_token"))
	assert.NotContains(t, none, "groups")
	_, some := claims(t, tokensOf(t, with(200), apiScope).text("access_token"))
	assert.Len(t, some["groups"], 200)
	_, many := claims(t, tokensOf(t, with(201), apiScope).text("access_token"))
	assert.NotContains(t, many, "groups")
	assert.Equal(t, map[string]any{"groups": "src1"}, many["_claim_names"])
	assert.Equal(t, map[string]any{"src1": map[string]any{
		"endpoint": "https://graph.windows.net/" + directory.DefaultTenantID +
			"/users/" + directory.DefaultUserID + "/getMemberObjects",
	}}, many["_claim_sources"])
}

func TestOptionalClaimsAndGuests(t *testing.T) {
	t.Parallel()
	d := changed(func(t *directory.Tenant) {
		t.Apps[1].OptionalClaims.AccessToken = []string{
			"email",
			"family_name",
			"idtyp",
			"upn",
			"acct",
			"auth_time",
			"login_hint",
		}
		t.Apps[1].OptionalClaims.AdditionalProperties = map[string][]string{"idtyp": {"include_user_token"}}
		t.Users[0].HomeTenant = "5a1e0001-0000-4000-8000-00000000f00d"
	})
	_, payload := claims(t, tokensOf(t, d, apiScope).text("access_token"))
	assert.Equal(t, directory.DefaultUser, payload["email"])
	assert.Equal(t, "Vance", payload["family_name"])
	assert.Equal(t, "user", payload["idtyp"])
	assert.EqualValues(t, 1, payload["acct"])
	assert.NotEmpty(t, payload["auth_time"])
	assert.Equal(t, "https://sts.windows.net/5a1e0001-0000-4000-8000-00000000f00d/", payload["idp"])
	_, plain := claims(t, tokensOf(t, directory.Default(), apiScope).text("access_token"))
	for _, name := range []string{"email", "idtyp", "upn", "acct", "auth_time", "idp", "amr"} {
		assert.NotContains(t, plain, name)
	}
}

const spaID = "5a1e0002-0000-4000-8000-0000000000b0"

func withSPA() directory.Directory {
	return changed(func(t *directory.Tenant) {
		t.Apps = append(
			t.Apps,
			directory.App{ID: spaID, DisplayName: "Single page", SPA: []string{"http://localhost:3000/"}},
		)
	})
}

func postToken(t *testing.T, fake *fakeentra.Fake, form url.Values, origin string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		tenantURL+"/oauth2/v2.0/token",
		strings.NewReader(form.Encode()),
	)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	return do(t, fake, r)
}

// A single-page app redeems by script, without a secret, and its refresh tokens end a day after the
// sign-in.
func TestSinglePageApp(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fake := newFake(t, fakeentra.Config{Directory: withSPA(), AutoSignIn: true, Now: func() time.Time { return now }})
	asSPA := map[string]string{"client_id": spaID, "redirect_uri": "http://localhost:3000/", "client_secret": ""}
	const origin = "http://localhost:3000"
	withoutPKCE := returned(
		t,
		authorize(t, fake, with(request(asSPA), map[string]string{"code_challenge": "", "code_challenge_method": ""})),
	)
	assert.Contains(t, withoutPKCE.Get("error_description"), "AADSTS9002325")

	code := signIn(t, fake, asSPA)
	assert.Equal(t, 9002327, postToken(t, fake, redemption(code, asSPA), "").number(t))
	got := postToken(t, fake, redemption(code, asSPA), origin)
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	assert.Equal(t, origin, got.Header.Get("Access-Control-Allow-Origin"))
	now = now.Add(20 * time.Hour)
	second := postToken(t, fake, refreshing(got.text("refresh_token"), asSPA), origin)
	require.Equal(t, http.StatusOK, second.Status, second.Body)
	now = now.Add(5 * time.Hour)
	assert.Equal(
		t,
		700084,
		postToken(t, fake, refreshing(second.text("refresh_token"), asSPA), origin).number(t),
		"the successor inherits the rest",
	)

	web := postToken(t, fake, redemption(signIn(t, fake, nil), nil), origin)
	assert.Equal(t, 9002326, web.number(t))
	assert.Empty(t, web.Header.Get("Access-Control-Allow-Origin"))
}

func TestPublicClient(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	native := map[string]string{
		"client_id":     directory.DefaultAPIID,
		"redirect_uri":  "http://localhost:49152",
		"client_secret": "",
	}
	code := signIn(t, fake, native)
	assert.Equal(
		t,
		700025,
		token(t, fake, with(redemption(code, native), map[string]string{"client_secret": "x"})).number(t),
	)
	assert.Equal(t, 90023, postToken(t, fake, redemption(code, native), "https://app.example").number(t))
	got := token(t, fake, redemption(code, native))
	assert.Equal(t, http.StatusOK, got.Status, got.Body)
}

// An app that is its own API may refresh for itself only by GUID: what MCP clients that send no
// scope run into.
func TestRefreshForItself(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	native := map[string]string{
		"client_id":     directory.DefaultAPIID,
		"redirect_uri":  "http://localhost",
		"client_secret": "",
		"scope":         "offline_access " + apiScope,
	}
	got := token(t, fake, with(redemption(signIn(t, fake, native), native), map[string]string{"scope": ""}))
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	again := refreshing(
		got.text("refresh_token"),
		map[string]string{"client_id": directory.DefaultAPIID, "client_secret": ""},
	)
	assert.Equal(t, 90009, token(t, fake, again).number(t))
	again.Set("scope", directory.DefaultAPIID+"/tool.read")
	assert.Equal(t, http.StatusOK, token(t, fake, again).Status)
}

func TestScopeRules(t *testing.T) {
	t.Parallel()
	fake := newFake(
		t,
		fakeentra.Config{
			Directory:  changed(func(t *directory.Tenant) { t.Apps[0].Consented = []string{"Calendars.Read"} }),
			AutoSignIn: true,
		},
	)
	const api = "api://" + directory.DefaultAPIID
	for _, one := range []struct{ scope, answer, error string }{
		{"User.Read", "User.Read Calendars.Read", ""},
		{"user.read openid profile", "User.Read Calendars.Read openid profile", ""},
		{"openid profile", "Calendars.Read openid profile", ""},
		{"OpenID openid Profile", "Calendars.Read openid profile", ""},
		{api + "/TOOL.READ", api + "/tool.read", ""},
		{directory.DefaultAPIID + "/tool.read", directory.DefaultAPIID + "/tool.read", ""},
		{api + "/.default openid", api + "/tool.read " + api + "/tool.write " + api + "/.default", ""},
		{
			"https://graph.microsoft.com/User.Read",
			"https://graph.microsoft.com/User.Read https://graph.microsoft.com/Calendars.Read",
			"",
		},
		{
			"https://graph.microsoft.com//User.Read",
			"https://graph.microsoft.com//User.Read https://graph.microsoft.com//Calendars.Read",
			"",
		},
		{api + "/.default " + api + "/tool.read", "", "AADSTS70011"},
		{"access_as_user", "", "AADSTS650053"},
		{api + "/nothing", "", "AADSTS650053"},
		{api + "//tool.read", "", "AADSTS500011"},
	} {
		back := returned(t, authorize(t, fake, request(map[string]string{"scope": one.scope})))
		if one.error != "" {
			assert.Contains(t, back.Get("error_description"), one.error, one.scope)
			continue
		}
		got := token(t, fake, redemption(back.Get("code"), nil))
		assert.Equal(t, one.answer, got.text("scope"), one.scope)
		assert.Equal(
			t,
			strings.Contains(strings.ToLower(one.scope), "openid"),
			got.text("id_token") != "",
			"%s: an ID token for openid",
			one.scope,
		)
	}
	both := signIn(t, fake, map[string]string{"scope": "User.Read " + apiScope})
	assert.Equal(t, 28003, token(t, fake, redemption(both, nil)).number(t), "a code for two resources says for which")
	assert.Equal(
		t,
		28000,
		token(t, fake, redemption(both, map[string]string{"scope": "User.Read " + apiScope})).number(t),
	)
	assert.Equal(t, apiScope, token(t, fake, redemption(both, map[string]string{"scope": apiScope})).text("scope"))
	assert.Equal(
		t,
		70011,
		token(t, fake, redemption(signIn(t, fake, nil), map[string]string{"scope": api + "/nothing"})).number(t),
		"the token endpoint has another number for it",
	)
}

// The table of Microsoft's own page about MCP servers, and what clients have run into.
func TestResourceTable(t *testing.T) {
	t.Parallel()
	const path = "https://mcp.contoso.com/mcp"
	const origin = "https://origin.contoso.com"
	const api = apiURI
	d := changed(func(t *directory.Tenant) {
		t.Domains = append(t.Domains, "contoso.com")
		t.Apps[1].IdentifierURIs = append(t.Apps[1].IdentifierURIs, path, origin)
	})
	fake := newFake(t, fakeentra.Config{Directory: d, AutoSignIn: true})
	for _, one := range []struct {
		scope, resource string
		fits            bool
	}{
		{api + "/tool.read", "", true},
		{api + "/tool.read", api, true},
		{api + "/tool.read", "https://other.contoso.com/mcp", false},
		{path + "/tool.read", path, true},
		{origin + "/tool.read", origin + "/", false},
		{api + "/tool.read", path, true},
		{"User.Read", path, false},
		{"openid profile offline_access", path, false},
		{"openid profile offline_access", api, false},
		{"tool.read", api, false},
		{"tool.read", api + "/", false},
		{"tool.read", "https://mcp.example/mcp", false},
		{"User.Read", "https://graph.microsoft.com", true},
		{"https://graph.microsoft.com/User.Read", "https://graph.microsoft.com", true},
		{"User.Read " + api + "/tool.read", api, false},
	} {
		back := returned(
			t,
			authorize(t, fake, request(map[string]string{"scope": one.scope, "resource": one.resource})),
		)
		name := one.scope + " for " + one.resource
		if !one.fits {
			assert.Equal(t, "invalid_target", back.Get("error"), name)
			assert.Contains(t, back.Get("error_description"), "AADSTS9010010", name)
			continue
		}
		require.NotEmpty(t, back.Get("code"), name)
		assert.Equal(
			t,
			9010010,
			token(
				t,
				fake,
				redemption(back.Get("code"), map[string]string{"resource": "https://wrong.contoso.com"}),
			).number(t),
			name,
		)
		got := token(t, fake, redemption(back.Get("code"), map[string]string{"resource": one.resource}))
		assert.Equal(t, http.StatusOK, got.Status, "%s: %s", name, got.Body)
	}
}

func TestDisabledApps(t *testing.T) {
	t.Parallel()
	fake := newFake(
		t,
		fakeentra.Config{Directory: changed(func(t *directory.Tenant) { t.Apps[1].Disabled = true }), AutoSignIn: true},
	)
	assert.Contains(t, authorize(t, fake, request(map[string]string{"scope": apiScope})).Body, "AADSTS500014")
	assert.Contains(
		t,
		authorize(t, fake, request(map[string]string{"client_id": directory.DefaultAPIID})).Body,
		"AADSTS7000112",
	)
}

func TestSharedEndpoints(t *testing.T) {
	t.Parallel()
	d := directory.Default()
	d.Tenants[0].Apps[0].MultiTenant = true
	d.Tenants = append(d.Tenants, directory.Tenant{
		ID:          "5a1e0001-0000-4000-8000-000000000002",
		DisplayName: "Fabrikam",
		Domains:     []string{"fabrikam.example"},
		Users: []directory.User{
			{
				ID:                "5a1e0004-0000-4000-8000-000000000011",
				UserPrincipalName: "megan@fabrikam.example",
				DisplayName:       "Megan",
			},
		},
	})
	fake := newFake(t, fakeentra.Config{Directory: d})
	const host = "https://login.microsoftonline.com"
	person := &visit{t: t, fake: fake}
	page := person.open(http.MethodGet, host+"/common/oauth2/v2.0/authorize?"+request(nil).Encode(), nil)
	assert.Contains(t, page.Body, "megan@fabrikam.example", "accounts of every organization")
	bogus := person.open(
		http.MethodGet,
		host+"/common/oauth2/v2.0/authorize?"+request(
			map[string]string{"client_id": "5a1e0002-0000-4000-8000-00000000dead"},
		).Encode(),
		nil,
	)
	assert.Contains(t, bogus.Body, "Pick an account", "nothing can be judged before the directory is known")
	login := func(params url.Values) answer {
		return person.open(
			http.MethodPost,
			host+"/common/authorize/v2/login?"+params.Encode(),
			url.Values{"account": {"megan@fabrikam.example"}},
		)
	}
	assert.Contains(
		t,
		login(request(map[string]string{"client_id": "5a1e0002-0000-4000-8000-00000000dead"})).Body,
		"AADSTS700016",
	)
	assert.Contains(t, login(request(map[string]string{"client_id": directory.DefaultAPIID})).Body, "AADSTS50194")
	assert.Contains(t, login(request(nil)).Body, "Permissions requested")
	code := returned(
		t,
		person.open(
			http.MethodPost,
			host+"/common/authorize/v2/consent?"+request(nil).Encode(),
			url.Values{"answer": {"accept"}},
		),
	).Get("code")
	require.NotEmpty(t, code)
	assert.Equal(
		t,
		700005,
		token(t, fake, redemption(code, nil)).number(t),
		"a code belongs to the tenant that issued it",
	)
	r, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		host+"/organizations/oauth2/v2.0/token",
		strings.NewReader(redemption(code, nil).Encode()),
	)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got := do(t, fake, r)
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	_, id := claims(t, got.text("id_token"))
	assert.Equal(t, "5a1e0001-0000-4000-8000-000000000002", id["tid"])
	assert.Equal(t, host+"/5a1e0001-0000-4000-8000-000000000002/v2.0", id["iss"])
}

func TestRevokedSessions(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fake := newFake(t, fakeentra.Config{AutoSignIn: true, Now: func() time.Time { return now }})
	refresh := token(t, fake, redemption(signIn(t, fake, nil), nil)).text("refresh_token")
	require.NoError(t, fake.RevokeSessions(directory.DefaultUser))
	got := token(t, fake, refreshing(refresh, nil))
	assert.Equal(t, 50173, got.number(t))
	assert.Equal(t, "bad_token", got.text("suberror"))
	now = now.Add(time.Second)
	again := token(t, fake, redemption(signIn(t, fake, nil), nil)).text("refresh_token")
	assert.Equal(t, http.StatusOK, token(t, fake, refreshing(again, nil)).Status, "a sign-in after it counts")
	assert.ErrorContains(t, fake.RevokeSessions("missing"), "no user missing")
}
