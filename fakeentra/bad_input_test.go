package fakeentra_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// Whatever is wrong with a form, the answer is Entra ID's error in JSON.
func TestBadTokenRequests(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	const form = "application/x-www-form-urlencoded"
	good := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {directory.DefaultClientID},
		"client_secret": {directory.DefaultClientSecret},
		"scope":         {"https://graph.microsoft.com/.default"},
	}
	send := func(method, segment, kind, body string, header map[string]string) answer {
		r, err := http.NewRequestWithContext(
			t.Context(),
			method,
			login+"/"+segment+"/oauth2/v2.0/token",
			strings.NewReader(body),
		)
		require.NoError(t, err)
		r.Header.Set("Content-Type", kind)
		for name, value := range header {
			r.Header.Set(name, value)
		}
		return do(t, fake, r)
	}
	require.Equal(
		t,
		http.StatusOK,
		send(http.MethodPost, directory.DefaultTenantID, form+"; charset=utf-8", good.Encode(), nil).Status,
	)
	for _, test := range []struct {
		name    string
		method  string
		segment string
		kind    string
		body    string
		header  map[string]string
		number  int
	}{
		{name: "GET", method: http.MethodGet, number: 900561},
		{name: "PUT", method: http.MethodPut, number: 900561},
		{name: "DELETE", method: http.MethodDelete, number: 900561},
		{name: "no content type", kind: "-", number: 900144},
		{name: "JSON", kind: "application/json", body: `{"grant_type":"client_credentials"}`, number: 900144},
		{name: "multipart", kind: "multipart/form-data; boundary=x", body: "--x--", number: 900144},
		{name: "a malformed content type", kind: ";;;", number: 900144},
		{name: "an empty body", body: " ", number: 900144},
		{name: "a secret twice", body: good.Encode() + "&client_secret=x", number: 9002313},
		{name: "an unknown name twice", body: good.Encode() + "&a=1&a=2", number: 9002313},
		{name: "a broken escape", body: good.Encode() + "&a=%zz", number: 9002313},
		{name: "semicolons", body: good.Encode() + ";a=1", number: 9002313},
		{name: "a zero byte", body: good.Encode() + "&a=%00", number: 9002313},
		{name: "two megabytes", body: good.Encode() + "&a=" + strings.Repeat("x", 2<<20), number: 9002313},
		{name: "a million names", body: strings.Repeat("a&", 1<<19), number: 9002313},
		{name: "an unknown tenant", segment: "5a1e0001-0000-4000-8000-00000000dead", number: 90002},
		{name: "an unknown domain", segment: "fabrikam.example", number: 90002},
		{name: "a malformed tenant", segment: "missing", number: 900023},
		{name: "markup for a tenant", segment: "%3Cscript%3E", number: 900023},
		{
			name:   "a client of no tenant",
			body:   change(good, "client_id", "5a1e0002-0000-4000-8000-00000000dead"),
			number: 700016,
		},
		{name: "a client ID other than a GUID", body: change(good, "client_id", "' OR 1=1"), number: 700038},
		{
			name:   "zeros for a client",
			body:   change(good, "client_id", "00000000-0000-0000-0000-000000000000"),
			number: 700038,
		},
		{
			name:   "two clients",
			body:   good.Encode(),
			header: map[string]string{"Authorization": "Basic eDp5"},
			number: 9002313,
		},
		{
			name:   "a broken Basic",
			body:   change(good, "client_secret", ""),
			header: map[string]string{"Authorization": "Basic !"},
			number: 7000216,
		},
		{
			name:    "neither credential nor client nor tenant",
			segment: "undefined",
			body:    "grant_type=client_credentials",
			number:  7000216,
		},
		{
			name:   "broken escapes in Basic",
			body:   change(good, "client_secret", ""),
			header: map[string]string{"Authorization": "Basic JXp6OiV6eg=="},
			number: 9002313,
		},
		{
			name:   "an unknown grant",
			body:   change(good, "grant_type", "urn:ietf:params:oauth:grant-type:saml2-bearer"),
			number: 70003,
		},
		{
			name:   "a junk code and a bad secret",
			body:   change(good, "grant_type", "authorization_code") + "&code=junk",
			number: 9002313,
		},
		{
			name:   "a long code",
			body:   change(good, "grant_type", "authorization_code") + "&code=1." + strings.Repeat("a", 5000),
			number: 9002313,
		},
		{
			name:   "a junk refresh token",
			body:   change(good, "grant_type", "refresh_token") + "&refresh_token=junk",
			number: 9002313,
		},
		{name: "no code", body: change(good, "grant_type", "authorization_code"), number: 900144},
		{name: "no refresh token", body: change(good, "grant_type", "refresh_token"), number: 900144},
		{
			name:   "no assertion",
			body:   change(good, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
			number: 900144,
		},
		{name: "no device code", body: change(good, "grant_type", "device_code"), number: 900144},
		{name: "no password", body: change(good, "grant_type", "password") + "&username=a", number: 900144},
		{name: "a scope of slashes", body: change(good, "scope", "////"), number: 500011},
		{name: "a scope of megabytes", body: change(good, "scope", strings.Repeat("x ", 1<<18)), number: 70011},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.method == "" {
				test.method = http.MethodPost
			}
			if test.segment == "" {
				test.segment = directory.DefaultTenantID
			}
			if test.kind == "" {
				test.kind = form
			}
			if test.body == "" {
				test.body = good.Encode()
			}
			got := send(test.method, test.segment, test.kind, test.body, test.header)
			assert.Equal(t, test.number, got.number(t))
			assert.Contains(t, []int{400, 401}, got.Status)
			assert.Equal(t, "application/json; charset=utf-8", got.Header.Get("Content-Type"))
			assert.Contains(t, got.Header.Get("Cache-Control"), "no-store")
			assert.Less(t, len(got.Body), 8<<10, "an answer does not repeat megabytes")
			assert.NotContains(t, got.Body, "<script>")
			assert.NotContains(t, got.Body, directory.DefaultClientSecret)
		})
	}
}

// The paths and the changed parameters of TestBrowsersGoOnlyToRegisteredAddresses.
var (
	pagePaths        = []string{"/oauth2/v2.0/authorize", "/oauth2/authorize", "/v2.0/adminconsent", "/adminconsent"}
	brokenParameters = []map[string]string{
		nil,
		{"scope": "nonsense"},
		{"response_type": "nonsense"},
		{"response_mode": "form_post"},
		{"response_mode": "fragment"},
	}
)

func TestBrowsersGoOnlyToRegisteredAddresses(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	for _, uri := range []string{
		"https://evil.example/auth/callback",
		"//evil.example/auth/callback",
		"http:evil.example",
		"http:///evil.example",
		"http://localhost:8000\\@evil.example/auth/callback",
		"http://localhost:8000@evil.example/auth/callback",
		"http://evil.example#@localhost:8000/auth/callback",
		"http://evil.example?@localhost:8000/auth/callback",
		"http://localhost:8000/auth/callback/../../x",
		"http://localhost:8000/auth/callback%2f..",
		"http://localhost.:8000/auth/callback",
		"http://lOcalhost:8000/auth/callback",
		"http://localhost:0x1f40/auth/callback",
		"http://[::1]:8000/auth/callback",
		"http://2130706433:8000/auth/callback",
		"http://localhost:8000/auth/callback\x00",
		"data:text/html,x",
		"javascript:alert(1)",
		"http://localhost:8000/auth/callback?x=1",
		"http://localhost:8000/auth/callback ",
		" http://localhost:8000/auth/callback",
	} {
		for _, path := range pagePaths {
			params := request(map[string]string{"redirect_uri": uri, "prompt": "none"})
			for _, broken := range brokenParameters {
				got := get(t, fake, tenantURL+path+"?"+with(params, broken).Encode())
				assert.Equal(t, http.StatusOK, got.Status, uri)
				assert.Empty(t, got.Header.Get("Location"), uri)
				assert.NotContains(t, got.Body, `name="hiddenform"`, uri)
				assert.Contains(t, got.Body, "AADSTS", uri)
			}
		}
		away := get(t, fake, tenantURL+"/oauth2/v2.0/logout?post_logout_redirect_uri="+url.QueryEscape(uri))
		assert.Equal(t, http.StatusOK, away.Status, uri)
		assert.Empty(t, away.Header.Get("Location"), uri)
	}
}

func TestBadPageRequests(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	person := &visit{t: t, fake: fake}
	for _, test := range []struct {
		name   string
		method string
		path   string
		form   url.Values
		want   string
	}{
		{
			"an unknown tenant",
			http.MethodGet,
			"/fabrikam.example/oauth2/v2.0/authorize?" + request(nil).Encode(),
			nil,
			"AADSTS90002",
		},
		{
			"a malformed tenant",
			http.MethodGet,
			"/missing/oauth2/v2.0/authorize?" + request(nil).Encode(),
			nil,
			"AADSTS900023",
		},
		{"a name twice", http.MethodGet, "/common/oauth2/v2.0/authorize?state=1&state=2", nil, "AADSTS9002313"},
		{
			"query and form",
			http.MethodPost,
			"/common/oauth2/v2.0/authorize?state=1",
			url.Values{"state": {"2"}},
			"AADSTS9002313",
		},
		{
			"megabytes of query",
			http.MethodGet,
			"/common/oauth2/v2.0/authorize?state=" + strings.Repeat("x", 2<<20),
			nil,
			"AADSTS9002313",
		},
		{
			"megabytes of form",
			http.MethodPost,
			"/common/oauth2/v2.0/authorize",
			url.Values{"state": {strings.Repeat("x", 2<<20)}},
			"AADSTS9002313",
		},
		{
			"a form of another kind",
			http.MethodPost,
			"/" + directory.DefaultTenantID + "/nonsense/v2/login",
			url.Values{"account": {"x"}},
			"404",
		},
		{
			"a form twice",
			http.MethodPost,
			"/" + directory.DefaultTenantID + "/authorize/v2/login?" + request(nil).Encode(),
			url.Values{"account": {"a", "b"}},
			"AADSTS9002313",
		},
		{
			"markup for an account",
			http.MethodPost,
			"/" + directory.DefaultTenantID + "/authorize/v2/login?" + request(nil).Encode(),
			url.Values{"account": {"<script>x"}},
			"AADSTS50034",
		},
		{
			"consent without a session",
			http.MethodPost,
			"/" + directory.DefaultTenantID + "/authorize/v2/consent?" + request(nil).Encode(),
			url.Values{"answer": {"accept"}},
			"Pick an account",
		},
		{
			"a second factor without a session",
			http.MethodPost,
			"/" + directory.DefaultTenantID + "/authorize/v2/secondfactor?" + request(nil).Encode(),
			url.Values{"answer": {"approve"}},
			"Pick an account",
		},
		{
			"an unknown device code",
			http.MethodPost,
			"/common/device/v2/login?user_code=MISSING",
			url.Values{"account": {directory.DefaultUser}},
			"AADSTS70018",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := person.open(test.method, login+test.path, test.form)
			assert.Empty(t, got.Header.Get("Location"))
			assert.NotContains(t, got.Body, "<script>x")
			assert.Less(t, len(got.Body), 64<<10)
			if test.want == "404" {
				assert.Equal(t, http.StatusNotFound, got.Status)
				return
			}
			assert.Equal(t, http.StatusOK, got.Status)
			assert.Contains(t, got.Body, test.want)
		})
	}
	for _, prompt := range []string{"nonsense", "none login", "create"} {
		got := authorize(t, fake, request(map[string]string{"prompt": prompt}))
		assert.Contains(t, got.Body, "AADSTS90023", prompt)
		assert.Empty(t, got.Header.Get("Location"), prompt)
	}
}
