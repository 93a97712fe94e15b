package fakeentra_test

import (
	"encoding/json"
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

func TestOldEndpoints(t *testing.T) {
	t.Parallel()
	fake := newFake(
		t,
		fakeentra.Config{
			AutoSignIn: true,
			Directory:  changed(func(t *directory.Tenant) { t.Apps[1].TokenVersion = 1 }),
		},
	)
	const resource = "api://" + directory.DefaultAPIID
	params := with(request(map[string]string{"scope": "", "resource": resource}), nil)
	back := returned(t, get(t, fake, tenantURL+"/oauth2/authorize?"+params.Encode()))
	require.NotEmpty(t, back.Get("code"))
	r, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		tenantURL+"/oauth2/token",
		strings.NewReader(redemption(back.Get("code"), nil).Encode()),
	)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got := do(t, fake, r)
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	assert.Equal(
		t,
		[]string{
			"token_type",
			"scope",
			"expires_in",
			"ext_expires_in",
			"expires_on",
			"not_before",
			"resource",
			"access_token",
			"refresh_token",
			"id_token",
		},
		members(t, got.Body),
	)
	assert.IsType(t, "", got.JSON["expires_in"], "v1 writes numbers as text")
	assert.Equal(t, resource, got.text("resource"))
	assert.Equal(t, "tool.read tool.write", got.text("scope"))
	_, access := claims(t, got.text("access_token"))
	assert.Equal(t, resource, access["aud"])
	_, id := claims(t, got.text("id_token"))
	assert.Equal(t, "1.0", id["ver"])
	assert.Equal(t, "https://sts.windows.net/"+directory.DefaultTenantID+"/", id["iss"])
	assert.Equal(t, directory.DefaultUser, id["upn"])

	unknown := returned(
		t,
		get(
			t,
			fake,
			tenantURL+"/oauth2/authorize?"+with(
				params,
				map[string]string{"resource": "https://unknown.example"},
			).Encode(),
		),
	)
	assert.Equal(t, "invalid_resource", unknown.Get("error"))
}

func TestImplicitAndHybrid(t *testing.T) {
	t.Parallel()
	d := changed(func(t *directory.Tenant) {
		t.Apps[0].ImplicitIDTokens = true
		t.Apps[0].ImplicitAccessTokens = true
	})
	fake := newFake(t, fakeentra.Config{Directory: d, AutoSignIn: true})
	hybrid := returned(t, authorize(t, fake, request(map[string]string{"response_type": "code id_token"})))
	require.NotEmpty(t, hybrid.Get("code"))
	_, id := claims(t, hybrid.Get("id_token"))
	assert.Equal(t, "a-nonce", id["nonce"])
	assert.NotEmpty(t, id["c_hash"])
	assert.NotContains(t, id, "at_hash")
	redeemed := token(t, fake, redemption(hybrid.Get("code"), nil))
	require.Equal(t, http.StatusOK, redeemed.Status, redeemed.Body)
	assert.NotEmpty(t, redeemed.text("id_token"), "the code covers every requested token")
	assert.NotEmpty(t, redeemed.text("refresh_token"))

	implicit := authorize(
		t,
		fake,
		request(map[string]string{"response_type": "id_token token", "scope": "openid profile " + apiScope}),
	)
	assert.Contains(t, implicit.Header.Get("Location"), callback+"#access_token=")
	params := returned(t, implicit)
	assert.Equal(t, "Bearer", params.Get("token_type"))
	assert.Equal(t, apiScope, params.Get("scope"))
	verifies(t, fake, params.Get("access_token"))
	_, id = claims(t, params.Get("id_token"))
	assert.NotEmpty(t, id["at_hash"])

	for _, test := range []struct {
		number  string
		changes map[string]string
	}{
		{"AADSTS70007", map[string]string{"response_type": "id_token", "response_mode": "query"}},
		{"AADSTS900144", map[string]string{"response_type": "id_token", "nonce": ""}},
		{"AADSTS70005", map[string]string{"response_type": "magic"}},
	} {
		assert.Contains(t, returned(t, authorize(t, fake, request(test.changes))).Get("error_description"), test.number)
	}
	off := newFake(t, fakeentra.Config{AutoSignIn: true})
	assert.Contains(
		t,
		returned(
			t,
			authorize(t, off, request(map[string]string{"response_type": "id_token"})),
		).Get("error_description"),
		"AADSTS700054",
	)
	assert.Contains(
		t,
		returned(t, authorize(t, off, request(map[string]string{"response_type": "token"}))).Get("error_description"),
		"AADSTS700051",
	)
}

func deviceCode(t *testing.T, fake *fakeentra.Fake, form url.Values) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		tenantURL+"/oauth2/v2.0/devicecode",
		strings.NewReader(form.Encode()),
	)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(t, fake, r)
}

func TestDeviceCode(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	d := changed(func(t *directory.Tenant) {
		t.Apps[1].AllowPublicFlows = true
		t.Apps[1].Consented = nil
	})
	fake := newFake(t, fakeentra.Config{Directory: d, Now: func() time.Time { return now }})
	ask := func() answer {
		return deviceCode(
			t,
			fake,
			url.Values{"client_id": {directory.DefaultAPIID}, "scope": {"openid offline_access User.Read"}},
		)
	}
	poll := func(code, grant string) answer {
		return token(
			t,
			fake,
			url.Values{"grant_type": {grant}, "client_id": {directory.DefaultAPIID}, "device_code": {code}},
		)
	}
	const long, short = "urn:ietf:params:oauth:grant-type:device_code", "device_code"
	first := ask()
	require.Equal(t, http.StatusOK, first.Status, first.Body)
	assert.Equal(
		t,
		[]string{"user_code", "device_code", "verification_uri", "expires_in", "interval", "message"},
		members(t, first.Body),
		"and no verification_uri_complete",
	)
	assert.Equal(t, 70016, poll(first.text("device_code"), long).number(t))
	assert.Equal(t, "authorization_pending", poll(first.text("device_code"), short).text("error"))
	assert.Equal(t, 70018, poll("guess", long).number(t))

	person := &visit{t: t, fake: fake}
	assert.Contains(
		t,
		person.open(
			http.MethodPost,
			"https://login.microsoftonline.com/device",
			url.Values{"user_code": {"WRONGCODE"}},
		).Body,
		"AADSTS70018",
	)
	assert.Contains(
		t,
		person.open(
			http.MethodPost,
			"https://login.microsoftonline.com/device",
			url.Values{"user_code": {strings.ToLower(first.text("user_code"))}},
		).Body,
		"Pick an account",
	)
	params := url.Values{"user_code": {first.text("user_code")}}
	send := func(step string, form url.Values) answer {
		return person.open(http.MethodPost, tenantURL+"/device/v2/"+step+"?"+params.Encode(), form)
	}
	assert.Contains(t, send("login", url.Values{"account": {directory.DefaultUser}}).Body, "Permissions requested")
	assert.Contains(t, send("consent", url.Values{"answer": {"accept"}}).Body, "You have signed in")
	got := poll(first.text("device_code"), long)
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	assert.NotEmpty(t, got.text("refresh_token"))
	assert.Equal(t, 70018, poll(first.text("device_code"), long).number(t), "once")

	second := ask()
	params.Set("user_code", second.text("user_code"))
	assert.Contains(t, send("login", url.Values{"answer": {"cancel"}}).Body, "declined")
	assert.Equal(t, "authorization_declined", poll(second.text("device_code"), long).text("error"))
	third := ask()
	now = now.Add(16 * time.Minute)
	assert.Equal(t, "expired_token", poll(third.text("device_code"), long).text("error"))
	assert.Equal(t, 900144, deviceCode(t, fake, url.Values{"client_id": {directory.DefaultAPIID}}).number(t))
	confidential := deviceCode(t, fake, url.Values{"client_id": {directory.DefaultClientID}, "scope": {"User.Read"}})
	require.Equal(t, http.StatusOK, confidential.Status)
	assert.Equal(
		t,
		7000218,
		token(
			t,
			fake,
			url.Values{
				"grant_type":  {long},
				"client_id":   {directory.DefaultClientID},
				"device_code": {confidential.text("device_code")},
			},
		).number(t),
	)
}

func TestPasswordGrant(t *testing.T) {
	t.Parallel()
	d := changed(func(t *directory.Tenant) {
		t.Apps[1].AllowPublicFlows = true
		t.Apps[1].MultiTenant = true
		t.Apps[1].Consented = []string{"User.Read"}
	})
	fake := newFake(t, fakeentra.Config{Directory: d})
	form := url.Values{
		"grant_type": {"password"},
		"client_id":  {directory.DefaultAPIID},
		"username":   {"AlexW@contoso.onmicrosoft.com"},
		"password":   {"correct horse"},
		"scope":      {"User.Read"},
	}
	at := func(segment string) answer {
		r, err := http.NewRequestWithContext(
			t.Context(),
			http.MethodPost,
			"https://login.microsoftonline.com/"+segment+"/oauth2/v2.0/token",
			strings.NewReader(form.Encode()),
		)
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return do(t, fake, r)
	}
	assert.Equal(t, http.StatusOK, at(directory.DefaultTenantID).Status)
	assert.Equal(t, 9001023, at("common").number(t))
	form.Set("username", directory.DefaultUser)
	assert.Equal(t, 50056, at(directory.DefaultTenantID).number(t))
	form.Set("username", "missing@contoso.onmicrosoft.com")
	assert.Equal(t, 50034, at(directory.DefaultTenantID).number(t))
}

func TestSpecAlignedFace(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{Face: fakeentra.SpecAlignedFace, AutoSignIn: true})
	got := get(
		t,
		fake,
		"https://login.microsoftonline.com/.well-known/oauth-authorization-server/"+directory.DefaultTenantID+"/v2.0",
	)
	require.Equal(t, http.StatusOK, got.Status)
	assert.Equal(t, []any{"S256"}, got.JSON["code_challenge_methods_supported"])
	register := func(body string) answer {
		r, err := http.NewRequestWithContext(
			t.Context(),
			http.MethodPost,
			got.text("registration_endpoint"),
			strings.NewReader(body),
		)
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		return do(t, fake, r)
	}
	client := register(
		`{"redirect_uris":["http://127.0.0.1:7777/cb"],"token_endpoint_auth_method":"none","client_name":"A tool"}`,
	)
	require.Equal(t, http.StatusCreated, client.Status, client.Body)
	native := map[string]string{
		"client_id":     client.text("client_id"),
		"redirect_uri":  "http://127.0.0.1:7777/cb",
		"client_secret": "",
		"resource":      "http://localhost:8000/mcp",
	}
	back := returned(t, authorize(t, fake, request(native)))
	assert.Equal(t, tenantURL+"/v2.0", back.Get("iss"))
	assert.Equal(t, http.StatusOK, token(t, fake, redemption(back.Get("code"), native)).Status)
	native["scope"] = ""
	unasked := returned(t, authorize(t, fake, request(native)))
	assert.Equal(
		t,
		http.StatusOK,
		token(t, fake, redemption(unasked.Get("code"), native)).Status,
		"a request without a scope is one for the default",
	)
	for _, body := range []string{
		"",
		"[]",
		`{"redirect_uris":[]}`,
		`{"redirect_uris":["http://evil.example/"]}`,
		`{"redirect_uris":["https://a.example/"],"token_endpoint_auth_method":"tls"}`,
		strings.Repeat("[", 1<<20),
	} {
		assert.Equal(t, http.StatusBadRequest, register(body).Status, body[:min(len(body), 60)])
	}
}

func TestClouds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		cloud     fakeentra.Cloud
		authority string
		graph     string
		sts       string
	}{
		{
			fakeentra.USGov,
			"https://login.microsoftonline.us",
			"graph.microsoft.us",
			"https://sts.windows.net",
		},
		{
			fakeentra.USGovDoD,
			"https://login.microsoftonline.us",
			"dod-graph.microsoft.us",
			"https://sts.windows.net",
		},
		{
			fakeentra.China,
			"https://login.partner.microsoftonline.cn",
			"microsoftgraph.chinacloudapi.cn",
			"https://sts.chinacloudapi.cn",
		},
	} {
		t.Run(string(test.cloud), func(t *testing.T) {
			fake := newFake(t, fakeentra.Config{Cloud: test.cloud})
			tenant := test.authority + "/" + directory.DefaultTenantID
			got := get(t, fake, tenant+"/v2.0/.well-known/openid-configuration")
			assert.Equal(t, tenant+"/v2.0", got.text("issuer"))
			assert.Equal(t, test.graph, got.text("msgraph_host"))
			v1 := get(t, fake, tenant+"/.well-known/openid-configuration")
			assert.Equal(t, test.sts+"/"+directory.DefaultTenantID+"/", v1.text("issuer"))
		})
	}
	_, err := fakeentra.New(fakeentra.Config{Cloud: "moon"})
	assert.ErrorContains(t, err, `got "moon"`)
}

func TestEmergencyRotation(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	raw, err := fake.Mint(fakeentra.Token{})
	require.NoError(t, err)
	header, _ := claims(t, raw)
	require.NoError(t, fake.EmergencyRotate())
	assert.NotContains(
		t,
		get(t, fake, tenantURL+"/discovery/v2.0/keys").Body,
		header["kid"],
		"the lost key is withdrawn at once",
	)
	next, err := fake.Mint(fakeentra.Token{})
	require.NoError(t, err)
	verifies(t, fake, next)
}

func TestGraph(t *testing.T) {
	t.Parallel()
	d := changed(func(t *directory.Tenant) {
		t.Groups = []directory.Group{
			{
				ID:          "5a1e0005-0000-4000-8000-000000000001",
				DisplayName: "Makers",
				Members:     []string{directory.DefaultUserID},
			},
		}
		t.Users[0].Events = []directory.Event{
			{
				Subject:  "Launch",
				Location: "Room 7",
				Start:    time.Date(2026, 5, 6, 7, 0, 0, 0, time.UTC),
				End:      time.Date(2026, 5, 6, 8, 0, 0, 0, time.UTC),
			},
		}
	})
	fake := newFake(t, fakeentra.Config{Directory: d, AutoSignIn: true})
	bearer := token(
		t,
		fake,
		redemption(
			signIn(
				t,
				fake,
				map[string]string{"scope": "openid profile email User.Read Calendars.Read GroupMember.Read.All"},
			),
			nil,
		),
	).text("access_token")
	ask := func(method, path, body string) answer {
		r, err := http.NewRequestWithContext(
			t.Context(),
			method,
			"https://graph.microsoft.com"+path,
			strings.NewReader(body),
		)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+bearer)
		return do(t, fake, r)
	}
	assert.Contains(t, ask(http.MethodGet, "/v1.0/me/memberOf", "").Body, `"displayName":"Makers"`)
	assert.Contains(
		t,
		ask(http.MethodPost, "/v1.0/me/getMemberObjects", `{"securityEnabledOnly":true}`).Body,
		`"value":["5a1e0005-0000-4000-8000-000000000001"]`,
	)
	assert.Equal(t, http.StatusBadRequest, ask(http.MethodPost, "/v1.0/me/getMemberObjects", `{`).Status)
	events := ask(http.MethodGet, "/v1.0/me/events?$top=1", "")
	assert.Contains(t, events.Body, `"subject":"Launch"`)
	assert.Contains(t, events.Body, `"dateTime":"2026-05-06T07:00:00.0000000","timeZone":"UTC"`)
	assert.Equal(t, http.StatusBadRequest, ask(http.MethodGet, "/v1.0/me/events?$top=x", "").Status)
	info := ask(http.MethodGet, "/oidc/userinfo", "")
	assert.Equal(t, []string{"sub", "name", "family_name", "given_name", "picture", "email"}, members(t, info.Body))
	assert.Equal(t, http.StatusNotFound, ask(http.MethodGet, "/v1.0/nothing", "").Status)
	bearer = token(t, fake, redemption(signIn(t, fake, map[string]string{"scope": apiScope}), nil)).text("access_token")
	assert.Equal(
		t,
		http.StatusUnauthorized,
		ask(http.MethodGet, "/v1.0/me", "").Status,
		"Graph refuses a token for another API",
	)
}

// Graph's answers have an ID of their own and none of Entra ID's, and its challenge leads to this
// fake.
func TestIDsOfGraphsAnswers(t *testing.T) {
	t.Parallel()
	fake := fakeentra.NewServer(fakeentra.Config{})
	defer fake.Close()
	ask := func(path string, header http.Header) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fake.URL+path, nil)
		require.NoError(t, err)
		r.Header = header
		response, err := fake.Client().Do(r)
		require.NoError(t, err)
		t.Cleanup(func() { _ = response.Body.Close() })
		return response
	}
	const id = "5a1e0009-0000-4000-8000-000000000001"
	refused := ask("/v1.0/me", http.Header{"Client-Request-Id": {id}})
	var body struct {
		Error struct {
			Inner map[string]string `json:"innerError"`
		}
	}
	require.NoError(t, json.NewDecoder(refused.Body).Decode(&body))
	assert.Equal(t, id, refused.Header.Get("client-request-id"))
	assert.Equal(t, id, body.Error.Inner["client-request-id"])
	assert.NotEmpty(t, refused.Header.Get("request-id"))
	assert.Equal(t, refused.Header.Get("request-id"), body.Error.Inner["request-id"])
	assert.Contains(
		t,
		refused.Header.Get("WWW-Authenticate"),
		`authorization_uri="`+fake.URL+`/common/oauth2/authorize"`,
	)
	assert.Empty(t, refused.Header.Get("x-ms-request-id"))
	assert.Empty(t, refused.Header.Get("x-ms-ests-server"))
	entra := ask("/common/discovery/keys", http.Header{})
	assert.NotEmpty(t, entra.Header.Get("x-ms-request-id"))
	assert.Empty(t, entra.Header.Get("request-id"))
}

func TestFrontChannelLogout(t *testing.T) {
	t.Parallel()
	d := changed(func(t *directory.Tenant) { t.Apps[0].LogoutURL = "http://localhost:8000/signed-out" })
	person := &visit{t: t, fake: newFake(t, fakeentra.Config{Directory: d})}
	person.post("login", request(nil), url.Values{"account": {directory.DefaultUser}})
	person.post("consent", request(nil), url.Values{"answer": {"accept"}})
	page := person.open(
		http.MethodGet,
		tenantURL+"/oauth2/v2.0/logout?post_logout_redirect_uri="+url.QueryEscape(callback),
		nil,
	)
	assert.Contains(t, page.Body, `<iframe src="http://localhost:8000/signed-out?sid=`)
	assert.Contains(t, page.Body, `url=http://localhost:8000/auth/callback`)
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	for _, path := range []string{
		"/v2.0/.well-known/openid-configuration",
		"/discovery/v2.0/keys",
		"/oauth2/v2.0/token",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, tenantURL+path, nil)
		require.NoError(t, err)
		r.Header.Set("Origin", "https://app.example")
		got := do(t, fake, r)
		assert.Equal(t, http.StatusOK, got.Status, path)
		assert.NotEmpty(t, got.Header.Get("Access-Control-Allow-Origin"), path)
	}
}
