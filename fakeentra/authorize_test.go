package fakeentra_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

func TestAuthorizationResponse(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	got := authorize(t, fake, request(nil))
	require.Equal(t, http.StatusFound, got.Status, got.Body)
	location := got.Header.Get("Location")
	assert.True(t, strings.HasPrefix(location, callback+"?code=1."), location)
	assert.True(
		t,
		strings.HasSuffix(location, "#"),
		"the bare fragment keeps one of an earlier page from being carried along",
	)
	params := returned(t, got)
	assert.Equal(t, "a state/with+signs", params.Get("state"))
	assert.NotEmpty(t, params.Get("session_state"))
	assert.NotContains(t, params, "iss", "Entra ID sends none")
	assert.Contains(t, got.Header.Get("Cache-Control"), "no-store")

	fragment := authorize(t, fake, request(map[string]string{"response_mode": "fragment"}))
	assert.Contains(t, fragment.Header.Get("Location"), callback+"#code=")

	form := authorize(t, fake, request(map[string]string{"response_mode": "form_post"}))
	require.Equal(t, http.StatusOK, form.Status)
	assert.Contains(t, form.Body, `action="`+callback+`"`)
	assert.Contains(t, form.Body, `name="code"`)
	assert.Empty(t, form.Header.Get("Location"))
}

func TestPortOfLocalhostIsNotLookedAt(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	got := authorize(t, fake, request(map[string]string{"redirect_uri": "http://localhost:54321/auth/callback"}))
	assert.True(
		t,
		strings.HasPrefix(got.Header.Get("Location"), "http://localhost:54321/auth/callback?code="),
		got.Body,
	)
}

func TestErrorLookup(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	for _, entry := range aadsts.Catalogue() {
		problem, _ := aadsts.Find(entry.Number)
		problem.NoErrorURI = false
		got := get(t, fake, problem.ErrorURI(aadsts.Occurrence{Authority: fake.Authority()}))
		assert.Equal(t, http.StatusOK, got.Status)
		assert.Contains(t, got.Body, fmt.Sprintf("<h1>AADSTS%d</h1>", entry.Number))
		assert.Contains(t, got.Body, "<dd>"+problem.Code+"</dd>")
		assert.Contains(t, got.Body, html.EscapeString(entry.Confidence.Words()), entry.Number)
		assert.NotContains(t, got.Body, "%s", entry.Number)
	}
	assert.Contains(t, get(t, fake, fake.Authority()+"/error?code=aadsts50011").Body, "<h1>AADSTS50011</h1>")
	for _, code := range []string{"1", "x", "-1", "%3Cscript%3E", "99999999999999999999"} {
		assert.Contains(
			t,
			get(t, fake, fake.Authority()+"/error?code="+code).Body,
			"The fake does not know this error.",
			code,
		)
	}
	assert.NotContains(t, get(t, fake, fake.Authority()+"/error").Body, "The fake does not know this error.")
}

// An unregistered address gets no redirect. The person sees a page.
func TestErrorPages(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	for _, test := range []struct {
		name      string
		parameter string
		value     string
		number    string
	}{
		{"no client", "client_id", "", "AADSTS900144"},
		{"a client ID other than a GUID", "client_id", "my-app", "AADSTS700038"},
		{"an unknown client", "client_id", "5a1e0002-0000-4000-8000-00000000dead", "AADSTS700016"},
		{"another site", "redirect_uri", "https://evil.example/auth/callback", "AADSTS50011"},
		{"another path", "redirect_uri", callback + "/x", "AADSTS50011"},
		{"a query added", "redirect_uri", callback + "?x=1", "AADSTS50011"},
		{"a path in other case", "redirect_uri", "http://localhost:8000/Auth/callback", "AADSTS50011"},
		{"127.0.0.1 for localhost", "redirect_uri", "http://127.0.0.1:8000/auth/callback", "AADSTS50011"},
		{"a name that begins so", "redirect_uri", "http://localhost.evil.example/auth/callback", "AADSTS50011"},
		{"a user before the host", "redirect_uri", "http://localhost:8000@evil.example/auth/callback", "AADSTS50011"},
		{"https for http", "redirect_uri", "https://localhost:8000/auth/callback", "AADSTS50011"},
		{"no URI", "redirect_uri", "callback", "AADSTS90102"},
		{"a fragment", "redirect_uri", callback + "#x", "AADSTS90102"},
		{"a line break", "redirect_uri", callback + "\r\nX: y", "AADSTS90102"},
		{"a script", "redirect_uri", "javascript:alert(1)", "AADSTS50011"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := authorize(t, fake, request(map[string]string{test.parameter: test.value}))
			assert.Equal(t, http.StatusOK, got.Status)
			assert.Empty(t, got.Header.Get("Location"))
			assert.Contains(t, got.Header.Get("Content-Type"), "text/html")
			assert.Contains(t, got.Body, test.number)
			assert.Contains(t, got.Body, "<script>//<![CDATA[\n$Config={")
			assert.Contains(t, got.Body, "};\n//]]>\n</script>")
			assert.Contains(t, got.Body, `"strServiceExceptionMessage"`)
			assert.NotContains(t, got.Body, "<script>alert")
		})
	}
	for _, segment := range []string{"common", "organizations"} {
		got := get(
			t,
			fake,
			"https://login.microsoftonline.com/"+segment+"/oauth2/v2.0/authorize?"+request(nil).Encode(),
		)
		assert.Contains(t, got.Body, "AADSTS50194", segment)
	}
	twice := request(nil)
	twice.Add("redirect_uri", "https://evil.example/")
	assert.Contains(t, authorize(t, fake, twice).Body, "AADSTS9002313")
}

func TestErrorsThatGoBackToTheClient(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	for _, test := range []struct {
		name    string
		changes map[string]string
		code    string
		number  string
	}{
		{"no scope", map[string]string{"scope": ""}, "invalid_request", "AADSTS900144"},
		{"no response type", map[string]string{"response_type": ""}, "invalid_request", "AADSTS900144"},
		{
			"a response type not enabled",
			map[string]string{"response_type": "id_token", "response_mode": ""},
			"unsupported_response_type",
			"AADSTS700054",
		},
		{
			"an unknown response mode",
			map[string]string{"response_mode": "pigeon"},
			"unsupported_response_type",
			"AADSTS70007",
		},
		{"a scope that Graph lacks", map[string]string{"scope": "Nonsense.Read"}, "invalid_client", "AADSTS650053"},
		{
			"an unknown resource",
			map[string]string{"scope": "https://unknown.example/x"},
			"invalid_resource",
			"AADSTS500011",
		},
		{
			"an unknown challenge method",
			map[string]string{"code_challenge_method": "S512"},
			"invalid_request",
			"AADSTS501491",
		},
		{
			"a challenge that is too short",
			map[string]string{"code_challenge": "short"},
			"invalid_request",
			"AADSTS501491",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			params := returned(t, authorize(t, fake, request(test.changes)))
			assert.Equal(t, test.code, params.Get("error"))
			assert.Contains(t, params.Get("error_description"), test.number)
			assert.Equal(t, "a state/with+signs", params.Get("state"))
			assert.Empty(t, params.Get("code"))
		})
	}
}

// Since 2026 the parameter resource has to be an identifier URI of the API that the scopes belong
// to, character by character.
func TestResourceParameter(t *testing.T) {
	t.Parallel()
	const api = "api://" + directory.DefaultAPIID
	for _, test := range []struct {
		name     string
		rule     fakeentra.ResourceParameter
		scope    string
		resource string
		code     string
	}{
		{"the API's own", fakeentra.ResourceMustMatch, api + "/tool.read", api, ""},
		{"with a slash", fakeentra.ResourceMustMatch, api + "/tool.read", api + "/", "invalid_target"},
		{
			"a server's URL",
			fakeentra.ResourceMustMatch,
			api + "/tool.read",
			"http://localhost:8000/mcp",
			"invalid_target",
		},
		{"one for scopes of Graph", fakeentra.ResourceMustMatch, "User.Read", api, "invalid_target"},
		{"the API's GUID", fakeentra.ResourceMustMatch, api + "/tool.read", directory.DefaultAPIID, "invalid_target"},
		{"before 2026", fakeentra.ResourceRefused, api + "/tool.read", api, "invalid_request"},
		{"not looked at", fakeentra.ResourceIgnored, api + "/tool.read", "http://localhost:8000/mcp", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake := newFake(t, fakeentra.Config{AutoSignIn: true, ResourceParameter: test.rule})
			params := returned(
				t,
				authorize(t, fake, request(map[string]string{"scope": test.scope, "resource": test.resource})),
			)
			assert.Equal(t, test.code, params.Get("error"))
			assert.Equal(t, test.code == "", params.Has("code"))
		})
	}
}

func TestPersonSignsIn(t *testing.T) {
	t.Parallel()
	person := &visit{t: t, fake: newFake(t, fakeentra.Config{})}
	page := person.open(http.MethodGet, tenantURL+"/oauth2/v2.0/authorize?"+request(nil).Encode(), nil)
	assert.Contains(t, page.Body, "Pick an account")
	assert.Contains(t, page.Body, "Fake Entra ID", "every page says that it is a fake")
	assert.Contains(t, page.Header.Get("Content-Security-Policy"), "default-src 'none'")
	assert.Equal(t, "DENY", page.Header.Get("X-Frame-Options"))

	consent := person.post("login", request(nil), url.Values{"account": {directory.DefaultUser}})
	assert.Contains(t, consent.Body, "Permissions requested")
	assert.Contains(t, consent.Body, "Sign you in and read your profile")
	require.Len(t, person.cookies, 1)
	assert.True(t, person.cookies[0].HttpOnly)
	assert.True(t, person.cookies[0].Secure)

	accepted := person.post("consent", request(nil), url.Values{"answer": {"accept"}})
	assert.NotEmpty(t, returned(t, accepted).Get("code"))

	again := person.open(http.MethodGet, tenantURL+"/oauth2/v2.0/authorize?"+request(nil).Encode(), nil)
	assert.NotEmpty(t, returned(t, again).Get("code"), "a session and consent are remembered")
	more := person.open(
		http.MethodGet,
		tenantURL+"/oauth2/v2.0/authorize?"+request(map[string]string{"scope": "Calendars.Read"}).Encode(),
		nil,
	)
	assert.Contains(t, more.Body, "Read your calendars", "more needs consent of its own")
	asked := person.open(
		http.MethodGet,
		tenantURL+"/oauth2/v2.0/authorize?"+request(map[string]string{"prompt": "select_account"}).Encode(),
		nil,
	)
	assert.Contains(t, asked.Body, "Pick an account")
}

func TestPersonWithPassword(t *testing.T) {
	t.Parallel()
	const alex = "AlexW@contoso.onmicrosoft.com"
	person := &visit{t: t, fake: newFake(t, fakeentra.Config{})}
	page := person.post("login", request(nil), url.Values{"account": {alex}})
	assert.Contains(t, page.Body, "Enter password")
	wrong := person.post("login", request(nil), url.Values{"account": {alex}, "password": {"guess"}})
	assert.Contains(t, wrong.Body, "AADSTS50126")
	assert.Empty(t, person.cookies, "no session without the password")
	assert.NotContains(t, wrong.Body, "guess")
	right := person.post("login", request(nil), url.Values{"account": {alex}, "password": {"correct horse"}})
	assert.Contains(t, right.Body, "Permissions requested")
}

func TestPersonTurnsBack(t *testing.T) {
	t.Parallel()
	person := &visit{t: t, fake: newFake(t, fakeentra.Config{})}
	cancelled := returned(t, person.post("login", request(nil), url.Values{"answer": {"cancel"}}))
	assert.Equal(t, "access_denied", cancelled.Get("error"))
	assert.Equal(t, "cancel", cancelled.Get("error_subcode"))
	person.post("login", request(nil), url.Values{"account": {directory.DefaultUser}})
	declined := returned(t, person.post("consent", request(nil), url.Values{"answer": {"decline"}}))
	assert.Equal(t, "access_denied", declined.Get("error"))
	assert.Contains(t, declined.Get("error_description"), "AADSTS65004")
	unknown := person.post("login", request(nil), url.Values{"account": {"missing@contoso.onmicrosoft.com"}})
	assert.Contains(t, unknown.Body, "AADSTS50034")
}

// Consent without a session, or for a request that the page did not show, gives nothing.
func TestConsentIsBoundToTheSession(t *testing.T) {
	t.Parallel()
	stranger := &visit{t: t, fake: newFake(t, fakeentra.Config{})}
	got := stranger.post("consent", request(nil), url.Values{"answer": {"accept"}})
	assert.Equal(t, http.StatusOK, got.Status)
	assert.Contains(t, got.Body, "Pick an account")
	stranger.post("login", request(nil), url.Values{"account": {directory.DefaultUser}})
	redirected := stranger.post(
		"consent",
		request(map[string]string{"redirect_uri": "https://evil.example/"}),
		url.Values{"answer": {"accept"}},
	)
	assert.Empty(t, redirected.Header.Get("Location"))
	assert.Contains(t, redirected.Body, "AADSTS50011")
}

func TestSilentSignIn(t *testing.T) {
	t.Parallel()
	person := &visit{t: t, fake: newFake(t, fakeentra.Config{})}
	silent := tenantURL + "/oauth2/v2.0/authorize?" + request(map[string]string{"prompt": "none"}).Encode()
	assert.Equal(t, "login_required", returned(t, person.open(http.MethodGet, silent, nil)).Get("error"))
	person.post("login", request(nil), url.Values{"account": {directory.DefaultUser}})
	assert.Equal(t, "interaction_required", returned(t, person.open(http.MethodGet, silent, nil)).Get("error"))
	person.post("consent", request(nil), url.Values{"answer": {"accept"}})
	assert.NotEmpty(t, returned(t, person.open(http.MethodGet, silent, nil)).Get("code"))
	person.open(http.MethodGet, tenantURL+"/oauth2/v2.0/logout", nil)
	assert.Equal(t, "login_required", returned(t, person.open(http.MethodGet, silent, nil)).Get("error"))
}

func TestLogoutLeadsToRegisteredAddressesOnly(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	home := get(t, fake, tenantURL+"/oauth2/v2.0/logout?state=s&post_logout_redirect_uri="+url.QueryEscape(callback))
	assert.Equal(t, callback+"?state=s", home.Header.Get("Location"))
	away := get(
		t,
		fake,
		tenantURL+"/oauth2/v2.0/logout?post_logout_redirect_uri="+url.QueryEscape("https://evil.example/"),
	)
	assert.Equal(t, http.StatusOK, away.Status)
	assert.Empty(t, away.Header.Get("Location"))
}
