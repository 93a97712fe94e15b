package fakeentra_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// A browser in which several people are signed in says which one is meant, or is asked.
func TestSeveralAccounts(t *testing.T) {
	t.Parallel()
	d := changed(func(t *directory.Tenant) {
		t.Apps[0].Consented = []string{"User.Read"}
		t.Users[1].Password = ""
	})
	person := &visit{t: t, fake: newFake(t, fakeentra.Config{Directory: d})}
	const alex = "AlexW@contoso.onmicrosoft.com"
	for _, account := range []string{directory.DefaultUser, alex} {
		require.NotEmpty(
			t,
			returned(t, person.post("login", request(nil), url.Values{"account": {account}})).Get("code"),
		)
	}
	open := func(changes map[string]string) answer {
		return person.open(http.MethodGet, tenantURL+"/oauth2/v2.0/authorize?"+request(changes).Encode(), nil)
	}
	silent := returned(t, open(map[string]string{"prompt": "none"}))
	assert.Equal(t, "interaction_required", silent.Get("error"))
	assert.Contains(t, silent.Get("error_description"), "AADSTS16000")
	assert.Contains(t, open(nil).Body, "Pick an account")
	for _, hint := range []string{directory.DefaultUser, alex} {
		code := returned(t, open(map[string]string{"prompt": "none", "login_hint": hint})).Get("code")
		_, id := claims(t, token(t, person.fake, redemption(code, nil)).text("id_token"))
		assert.Equal(t, hint, id["preferred_username"])
	}
	// The consent page approves for the person who sees it.
	more := map[string]string{"login_hint": directory.DefaultUser, "scope": "openid profile Calendars.Read"}
	assert.Contains(t, open(more).Body, directory.DefaultUser)
	code := returned(t, person.post("consent", request(more), url.Values{"answer": {"accept"}})).Get("code")
	_, id := claims(t, token(t, person.fake, redemption(code, nil)).text("id_token"))
	assert.Equal(t, directory.DefaultUser, id["preferred_username"])
}

// The tokens of an app with claims mapping are signed with a key that only the set with its appid
// holds.
func TestOwnSigningKey(t *testing.T) {
	t.Parallel()
	fake := newFake(
		t,
		fakeentra.Config{Directory: changed(func(t *directory.Tenant) { t.Apps[1].OwnSigningKey = true })},
	)
	raw, err := fake.Mint(fakeentra.Token{})
	require.NoError(t, err)
	header, _ := claims(t, raw)
	assert.NotContains(t, get(t, fake, tenantURL+"/discovery/v2.0/keys").Body, header["kid"])
	assert.NotContains(
		t,
		get(t, fake, tenantURL+"/discovery/v2.0/keys?appid="+directory.DefaultClientID).Body,
		header["kid"],
	)
	document := get(t, fake, tenantURL+"/v2.0/.well-known/openid-configuration?appid="+directory.DefaultAPIID)
	assert.Equal(t, tenantURL+"/discovery/v2.0/keys?appid="+directory.DefaultAPIID, document.text("jwks_uri"))
	var keys jose.JSONWebKeySet
	require.NoError(t, decode(get(t, fake, document.text("jwks_uri")).Body, &keys))
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	require.NoError(t, err)
	found := keys.Key(signed.Signatures[0].Header.KeyID)
	require.Len(t, found, 1)
	_, err = signed.Verify(found[0].Key)
	assert.NoError(t, err)
}

func TestSecretsExpire(t *testing.T) {
	t.Parallel()
	fake := newFake(
		t,
		fakeentra.Config{
			Directory: changed(func(t *directory.Tenant) { t.Apps[0].ExpiredSecrets = []string{"of last year"} }),
		},
	)
	form := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {directory.DefaultClientID},
		"client_secret": {"of last year"},
		"scope":         {"https://graph.microsoft.com/.default"},
	}
	got := token(t, fake, form)
	assert.Equal(t, 7000222, got.number(t))
	assert.Equal(t, http.StatusUnauthorized, got.Status)
	form.Set("client_secret", directory.DefaultClientSecret)
	assert.Equal(t, http.StatusOK, token(t, fake, form).Status, "the other one goes on")
}

// A registration that lists permissions limits .default and v1 requests to them.
func TestListedPermissions(t *testing.T) {
	t.Parallel()
	const api = "api://" + directory.DefaultAPIID
	d := changed(func(t *directory.Tenant) {
		t.Apps[0].Permissions = []string{"User.Read", "Mail.Read"}
		t.Apps[1].Permissions = []string{api + "/tool.read"}
	})
	fake := newFake(t, fakeentra.Config{Directory: d, AutoSignIn: true})
	graph := token(
		t,
		fake,
		redemption(signIn(t, fake, map[string]string{"scope": "https://graph.microsoft.com/.default"}), nil),
	)
	assert.Equal(
		t,
		"https://graph.microsoft.com/User.Read https://graph.microsoft.com/Mail.Read "+
			"https://graph.microsoft.com/.default",
		graph.text("scope"),
	)
	back := returned(t, authorize(t, fake, request(map[string]string{"scope": api + "/.default"})))
	assert.Equal(t, "invalid_client", back.Get("error"))
	assert.Contains(t, back.Get("error_description"), "AADSTS650057")
	assert.Contains(
		t,
		back.Get("error_description"),
		"List of valid resources from app registration: "+directory.GraphAppID+". ",
		"each once",
	)
	assert.NotContains(t, back, "error_uri")
	assert.NotEmpty(t, signIn(t, fake, map[string]string{"scope": apiScope}), "a named scope is a matter of consent")
	old := returned(
		t,
		get(t, fake, tenantURL+"/oauth2/authorize?"+request(map[string]string{"scope": "", "resource": api}).Encode()),
	)
	assert.Contains(t, old.Get("error_description"), "AADSTS650057")
}

// msal-browser asks for telemetry with clidata=1, and msal-node names its correlation ID in the
// address.
func TestWhatLibrariesAddToRequests(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fake := newFake(t, fakeentra.Config{AutoSignIn: true, ErrorLines: true, Now: func() time.Time { return now }})
	noise := map[string]string{
		"clidata":        "1",
		"client_info":    "1",
		"x-client-SKU":   "msal.js",
		"haschrome":      "1",
		"instance_aware": "true",
		"sid":            "x",
		"domain_hint":    "organizations",
		"lc":             "1033",
		"mkt":            "de-DE",
		"ui_locales":     "de",
		"msafed":         "0",
	}
	got := authorize(t, fake, request(noise))
	assert.Regexp(
		t,
		`\?code=[^&]+&client_info=[^&]+&state=[^&]+&session_state=[^&]+`+
			`&clientdata=e%7c%7c%7cmicrosoftonline.com%7ceu#$`,
		got.Header.Get("Location"),
	)
	noise["scope"] = "Nonsense.Read"
	assert.Equal(
		t,
		"e|650053||microsoftonline.com|eu",
		returned(t, authorize(t, fake, request(noise))).Get("clientdata"),
	)

	const id = "5a1e0009-0000-4000-8000-000000000001"
	r, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		tenantURL+"/oauth2/v2.0/token?client-request-id="+id,
		strings.NewReader("grant_type=x"),
	)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	problem := do(t, fake, r)
	assert.Equal(t, id, problem.text("correlation_id"))
	assert.Contains(
		t,
		problem.text("error_description"),
		"\r\nTrace ID: "+problem.text("trace_id")+"\r\nCorrelation ID: "+id+"\r\nTimestamp: ",
		"in lines, as configured",
	)
}

func TestRedirectMatching(t *testing.T) {
	t.Parallel()
	registered := func(t *directory.Tenant) {
		t.Apps[0].Web = []string{
			"http://localhost",
			"http://localhost/cb",
			"http://localhost:3000/dev",
			"https://localhost/cb",
			"http://127.0.0.1/cb",
			"https://app.contoso.com/cb",
			"https://app.contoso.com",
			"https://q.contoso.com/cb?x=1",
		}
		t.Apps[0].SPA = []string{"http://localhost:5000/dev"}
		t.Apps[0].PublicClient = []string{
			"myapp://auth",
			"urn:ietf:wg:oauth:2.0:oob",
			"http://127.0.0.1/native",
			"https://login.microsoftonline.com/common/oauth2/nativeclient",
		}
	}
	fake := newFake(t, fakeentra.Config{AutoSignIn: true, Directory: changed(registered)})
	exact := newFake(t, fakeentra.Config{AutoSignIn: true, Directory: changed(registered), ExactLoopbackPort: true})
	for _, test := range []struct {
		uri  string
		fits bool
	}{
		{"http://localhost:5123", true},
		{"http://localhost:5123/", true},
		{"http://localhost:5123/cb", true},
		{"http://localhost:5123/other", false},
		{"http://localhost:4000/dev", true},
		{"https://localhost:8443/cb", true},
		{"http://127.0.0.1/cb", true},
		{"http://127.0.0.1:5123/cb", false},
		{"http://127.0.0.1:5123/native", true},
		{"https://127.0.0.1:5123/native", false},
		{"http://[::1]/cb", false},
		{"https://app.contoso.com/cb", true},
		{"https://app.contoso.com/cb/", false},
		{"https://app.contoso.com/CB", false},
		{"https://APP.contoso.com/cb", false},
		{"https://app.contoso.com:444/cb", false},
		{"https://app.contoso.com/", true},
		{"https://app.contoso.com/cb?x=1", false},
		{"https://q.contoso.com/cb?x=1", true},
		{"https://q.contoso.com/cb?x=2", false},
		{"https://app.contoso.com/%63b", false},
		{"https://app.contoso.com/x/../cb", false},
		{"myapp://auth", true},
		{"myapp://auth/", false},
		{"myapp://other", false},
		{"urn:ietf:wg:oauth:2.0:oob", true},
		{"https://login.microsoftonline.com/common/oauth2/nativeclient", true},
	} {
		got := authorize(t, fake, request(map[string]string{"redirect_uri": test.uri}))
		assert.Equal(t, test.fits, got.Header.Get("Location") != "", test.uri)
		if !test.fits {
			assert.Contains(t, got.Body, "AADSTS50011", test.uri)
		}
	}
	native := request(map[string]string{"redirect_uri": "http://127.0.0.1:5123/native"})
	assert.Contains(t, authorize(t, exact, native).Body, "AADSTS50011", "the switch")

	// The platform of the URI that is equal to the letter counts, not the one of a URI that differs
	// in the port.
	code := signIn(t, fake, map[string]string{"redirect_uri": "http://localhost:5000/dev"})
	assert.Equal(
		t,
		9002327,
		token(
			t,
			fake,
			redemption(code, map[string]string{"redirect_uri": "http://localhost:5000/dev", "client_secret": ""}),
		).number(t),
	)

	without := newFake(
		t,
		fakeentra.Config{AutoSignIn: true, Directory: changed(func(t *directory.Tenant) { t.Apps[0].Web = nil })},
	)
	assert.Contains(t, authorize(t, without, request(map[string]string{"redirect_uri": ""})).Body, "AADSTS500113")
	picked := authorize(
		t,
		newFake(t, fakeentra.Config{AutoSignIn: true}),
		request(map[string]string{"redirect_uri": ""}),
	)
	assert.Contains(t, picked.Header.Get("Location"), callback+"?code=", "a registered one is picked")
}

// v1 has other names and writes numbers as text, and old libraries ask by GET.
func TestDeviceCodeOfOldEndpoint(t *testing.T) {
	t.Parallel()
	fake := newFake(
		t,
		fakeentra.Config{Directory: changed(func(t *directory.Tenant) { t.Apps[1].AllowPublicFlows = true })},
	)
	got := get(
		t,
		fake,
		tenantURL+"/oauth2/devicecode?"+url.Values{
			"client_id": {directory.DefaultAPIID},
			"resource":  {"https://graph.microsoft.com"},
		}.Encode(),
	)
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	assert.Equal(
		t,
		[]string{"user_code", "device_code", "verification_url", "expires_in", "interval", "message"},
		members(t, got.Body),
	)
	assert.Equal(t, "900", got.JSON["expires_in"])
	assert.Equal(t, "5", got.JSON["interval"])
	assert.Equal(t, "https://login.microsoft.com/device", got.text("verification_url"))
	assert.Contains(
		t,
		get(t, fake, got.text("verification_url")).Body,
		"Enter code",
		"the client answers for that host as well",
	)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, tenantURL+"/oauth2/v2.0/devicecode", nil)
	require.NoError(t, err)
	assert.Equal(t, 900561, do(t, fake, r).number(t))
	listening := fakeentra.NewServer(fakeentra.Config{})
	defer listening.Close()
	endpoint := listening.URL + "/" + directory.DefaultTenantID + "/oauth2/v2.0/devicecode"
	form := url.Values{"client_id": {directory.DefaultAPIID}, "scope": {"openid"}}
	response, err := listening.Client().PostForm(endpoint, form)
	require.NoError(t, err)
	defer response.Body.Close()
	var answer struct {
		Page    string `json:"verification_uri"`
		Expires int    `json:"expires_in"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	assert.Equal(t, listening.URL+"/device", answer.Page)
	assert.Equal(t, 900, answer.Expires)
}

// What a person has to do is interaction_required at v1, and invalid_grant with a suberror at v2.
func TestOldEndpointsNameInteraction(t *testing.T) {
	t.Parallel()
	d := withPolicy(
		directory.Policy{Name: "MFA", Apps: []string{directory.DefaultAPIID}, Require: directory.RequireMFA},
	)
	d.Tenants[0].Apps[0].Consented = []string{"User.Read", "api://" + directory.DefaultAPIID + "/.default"}
	person := &visit{t: t, fake: newFake(t, fakeentra.Config{Directory: d})}
	code := returned(t, person.post("login", request(nil), url.Values{"account": {directory.DefaultUser}})).Get("code")
	refresh := token(t, person.fake, redemption(code, nil)).text("refresh_token")
	at := func(path string, changes map[string]string) answer {
		return person.open(http.MethodPost, tenantURL+path, refreshing(refresh, changes))
	}
	old := at("/oauth2/token", map[string]string{"resource": "api://" + directory.DefaultAPIID})
	assert.Equal(t, "interaction_required", old.text("error"))
	assert.Equal(t, 50076, old.number(t))
	now := at("/oauth2/v2.0/token", map[string]string{"scope": apiScope})
	assert.Equal(t, "invalid_grant", now.text("error"))
	assert.Equal(t, "basic_action", now.text("suberror"))
}

// Scripts may read the answers to a single-page app, errors included, and no other answers.
func TestCrossOriginAnswers(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{Directory: withSPA(), AutoSignIn: true})
	asSPA := map[string]string{"client_id": spaID, "redirect_uri": "http://localhost:3000/", "client_secret": ""}
	const origin = "http://localhost:3000"
	code := signIn(t, fake, asSPA)
	refused := postToken(t, fake, with(redemption(code, asSPA), map[string]string{"code_verifier": "wrong"}), origin)
	assert.Equal(t, 501481, refused.number(t))
	for _, got := range []answer{refused, postToken(t, fake, redemption(code, asSPA), origin)} {
		assert.Equal(t, origin, got.Header.Get("Access-Control-Allow-Origin"))
		assert.Equal(t, "true", got.Header.Get("Access-Control-Allow-Credentials"))
		assert.Contains(t, got.Header.Get("Access-Control-Expose-Headers"), "x-ms-request-id")
		assert.Contains(t, got.Header.Values("Vary"), "Origin")
	}
	web := signIn(t, fake, nil)
	refresh := token(t, fake, redemption(web, nil)).text("refresh_token")
	for number, form := range map[int]url.Values{9002326: refreshing(refresh, nil), 9002313: redemption("junk", nil)} {
		got := postToken(t, fake, form, "https://app.example")
		assert.Equal(t, number, got.number(t))
		assert.Empty(t, got.Header.Get("Access-Control-Allow-Origin"))
	}
	assert.Empty(
		t,
		authorize(t, fake, request(nil)).Header.Get("Access-Control-Allow-Origin"),
		"a page is navigated to",
	)
	assert.Equal(t, "*", get(t, fake, tenantURL+"/discovery/v2.0/keys").Header.Get("Access-Control-Allow-Origin"))
	assert.Equal(
		t,
		"*",
		get(
			t,
			fake,
			login+"/unknown.example/v2.0/.well-known/openid-configuration",
		).Header.Get(
			"Access-Control-Allow-Origin",
		),
	)
}

// An app says which groups and directory roles it wants to know of.
func TestGroupMembershipClaims(t *testing.T) {
	t.Parallel()
	const makers, writers = "5a1e0005-0000-4000-8000-000000000001", "5a1e0005-0000-4000-8000-000000000002"
	const everybody, administrator = "b79fbf4d-3ef9-4689-8143-76b194e85509", "62e90394-69f5-4237-9190-012177145e10"
	for _, test := range []struct {
		setting string
		want    [2]any
	}{
		{"", [2]any{nil, nil}},
		{"SecurityGroup", [2]any{[]any{makers, writers}, nil}},
		{"ApplicationGroup", [2]any{[]any{writers}, nil}},
		{"DirectoryRole", [2]any{nil, []any{administrator, everybody}}},
		{"All", [2]any{[]any{makers, writers}, []any{administrator, everybody}}},
	} {
		_, payload := claims(t, tokensOf(t, changed(func(t *directory.Tenant) {
			t.Users[0].Admin = true
			t.Apps[1].GroupMembershipClaims = test.setting
			t.Apps[1].Assignments = []directory.Assignment{{Principal: writers}}
			for _, id := range []string{makers, writers} {
				t.Groups = append(
					t.Groups,
					directory.Group{ID: id, DisplayName: id, Members: []string{directory.DefaultUserID}},
				)
			}
		}), apiScope).text("access_token"))
		assert.Equal(t, test.want[0], payload["groups"], test.setting)
		assert.Equal(t, test.want[1], payload["wids"], test.setting)
	}
}

// From the authorization endpoint, six groups are too many.
func TestGroupsOfImplicitTokens(t *testing.T) {
	t.Parallel()
	for n, fits := range map[int]bool{5: true, 6: false} {
		fake := newFake(t, fakeentra.Config{
			AutoSignIn: true,
			Directory: changed(func(t *directory.Tenant) {
				t.Apps[0].ImplicitIDTokens = true
				t.Apps[0].GroupMembershipClaims = "SecurityGroup"
				for i := range n {
					id := "5a1e0005-0000-4000-8000-00000000000" + string(rune('0'+i))
					t.Groups = append(
						t.Groups,
						directory.Group{ID: id, DisplayName: id, Members: []string{directory.DefaultUserID}},
					)
				}
			}),
		})
		_, id := claims(
			t,
			returned(t, authorize(t, fake, request(map[string]string{"response_type": "id_token"}))).Get("id_token"),
		)
		if fits {
			assert.Len(t, id["groups"], n)
			continue
		}
		assert.Equal(t, true, id["hasgroups"])
		assert.NotContains(t, id, "groups")
	}
}

// The parameter resource is about every scope of a request, whatever their order.
func TestResourceIsForAllScopes(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	for _, scope := range []string{apiScope + " User.Read", "User.Read " + apiScope} {
		back := returned(
			t,
			authorize(
				t,
				fake,
				request(map[string]string{"scope": scope, "resource": "api://" + directory.DefaultAPIID}),
			),
		)
		assert.Equal(t, "invalid_target", back.Get("error"), scope)
	}
	mixed := returned(
		t,
		authorize(
			t,
			fake,
			request(map[string]string{"scope": "api://" + directory.DefaultAPIID + "/.default User.Read"}),
		),
	)
	assert.Equal(t, "invalid_scope", mixed.Get("error"))
	assert.Contains(
		t,
		mixed.Get("error_description"),
		".default scope can't be combined with resource-specific scopes.",
	)
}

// An assertion that is neither the client's own nor of an issuer that the app trusts.
func TestAssertionOfAStranger(t *testing.T) {
	t.Parallel()
	stranger := newFake(t, fakeentra.Config{PublicURL: "https://workload.test"})
	raw, err := stranger.Mint(fakeentra.Token{})
	require.NoError(t, err)
	form := url.Values{
		"grant_type":            {"client_credentials"},
		"client_id":             {directory.DefaultClientID},
		"scope":                 {"https://graph.microsoft.com/.default"},
		"client_assertion":      {raw},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	assert.Equal(t, 70025, token(t, newFake(t, fakeentra.Config{}), form).number(t), "no federated credential at all")
	trusting := changed(func(t *directory.Tenant) {
		t.Apps[0].FederatedCredentials = []directory.FederatedCredential{{Issuer: "https://other.test", Subject: "s"}}
	})
	assert.Equal(t, 700211, token(t, newFake(t, fakeentra.Config{Directory: trusting}), form).number(t))
	form.Set("client_assertion", "x.y.z")
	assert.Equal(t, 50027, token(t, newFake(t, fakeentra.Config{}), form).number(t))
}

func TestUserRealm(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	for _, path := range []string{"UserRealm", "userrealm", "USERREALM"} {
		assert.Equal(
			t,
			"Managed",
			get(t, fake, login+"/common/"+path+"/"+directory.DefaultUser+"?api-version=1.0").text("account_type"),
			path,
		)
	}
	unknown := get(t, fake, login+"/common/userrealm/x@unknown.example")
	assert.Equal(t, []string{"ver", "account_type"}, members(t, unknown.Body))
	assert.Equal(t, "Unknown", unknown.text("account_type"))
	assert.Equal(t, http.StatusNotFound, get(t, fake, login+"/common/nonsense/x").Status)
}
