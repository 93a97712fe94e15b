package fakeentra_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// For any request of a browser, the answer is a page or leads to the
// registered address.
func FuzzAuthorize(f *testing.F) {
	for place, tenant := range []string{
		directory.DefaultTenantID,
		"common",
		"consumers",
		directory.DefaultDomain,
		"%00",
		"</script>",
	} {
		f.Add(place, tenant, request(nil).Encode())
	}
	f.Add(
		0,
		directory.DefaultTenantID,
		request(map[string]string{"redirect_uri": "http://localhost:1@evil.example/auth/callback"}).Encode(),
	)
	f.Add(
		1,
		directory.DefaultTenantID,
		request(map[string]string{"redirect_uri": "http://localhost\\@evil.example/auth/callback"}).Encode(),
	)
	f.Add(
		0,
		directory.DefaultTenantID,
		request(map[string]string{"response_mode": "form_post", "state": "\"><script>"}).Encode(),
	)
	f.Add(0, directory.DefaultTenantID, request(map[string]string{"scope": "/ // api:///.default openid"}).Encode())
	f.Add(
		0,
		directory.DefaultTenantID,
		request(
			map[string]string{"response_type": "code id_token token", "claims": `{"access_token":{"acrs":null}}`},
		).Encode(),
	)
	f.Add(3, directory.DefaultTenantID, "post_logout_redirect_uri=https://evil.example/&state=s")
	f.Add(4, "", "user_code=ABC&prompt=none")
	f.Add(6, "", "code=%3Cscript%3E%22AADSTS50011")
	f.Add(0, directory.DefaultTenantID, "client_id=%00&scope=%zz;;")
	d := directory.Default()
	d.Tenants[0].Apps[0].ImplicitIDTokens = true
	d.Tenants[0].Apps[0].ImplicitAccessTokens = true
	fake, err := fakeentra.New(fakeentra.Config{AutoSignIn: true, Directory: d})
	if err != nil {
		f.Fatal(err)
	}
	paths := []string{
		"/oauth2/v2.0/authorize",
		"/oauth2/authorize",
		"/v2.0/adminconsent",
		"/oauth2/v2.0/logout",
		"/device",
		"/adminconsent",
		"/error",
	}
	f.Fuzz(func(t *testing.T, place int, tenant, query string) {
		path := paths[uint(place)%uint(len(paths))]
		if path != "/device" && path != "/error" {
			path = "/" + tenant + path
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL = &url.URL{Path: path, RawQuery: query}
		answer := httptest.NewRecorder()
		fake.ServeHTTP(answer, r)
		location := answer.Header().Get("Location")
		switch {
		case answer.Code == http.StatusFound && location != "":
			target, err := url.Parse(location)
			registered := []string{"localhost/auth/callback", "localhost/"}
			if err != nil || target.User != nil || !slices.Contains(registered, target.Hostname()+target.Path) {
				t.Fatalf("leads to %q", location)
			}
		case answer.Code == http.StatusOK && location == "":
		case answer.Code == http.StatusNotFound, answer.Code == http.StatusMethodNotAllowed:
		case answer.Code == http.StatusTemporaryRedirect,
			answer.Code == http.StatusMovedPermanently: // net/http cleans the path
			if len(location) < 2 || location[0] != '/' || strings.ContainsRune(`/\`, rune(location[1])) {
				t.Fatalf("leads to %q", location)
			}
		default:
			t.Fatalf("status %d, location %q", answer.Code, location)
		}
		if body := answer.Body.String(); strings.Contains(body, "<script>\"") || strings.Count(body, "</script>") > 1 {
			t.Fatal("markup got through")
		}
	})
}

// Whatever is shown as an assertion, the answer is an error of the catalogue.
func FuzzAssertion(f *testing.F) {
	d := directory.Default()
	d.Tenants[0].Apps[0].FederatedCredentials = []directory.FederatedCredential{
		{Issuer: "https://workload.test", Subject: "s"},
	}
	fake, err := fakeentra.New(fakeentra.Config{Directory: d})
	if err != nil {
		f.Fatal(err)
	}
	minted, err := fake.Mint(fakeentra.Token{})
	if err != nil {
		f.Fatal(err)
	}
	parts := strings.Split(minted, ".")
	for _, seed := range []string{
		minted,
		parts[0] + "." + parts[1] + ".",
		"..",
		"a.b.c",
		"eyJhbGciOiJub25lIn0.e30.",
		parts[0] + ".bnVsbA." + parts[2],
		parts[0] + ".e30." + parts[2],
		strings.Repeat(".", 5000),
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, assertion string, client bool) {
		form := url.Values{
			"client_id":  {directory.DefaultClientID},
			"scope":      {"https://graph.microsoft.com/.default"},
			"grant_type": {"client_credentials"},
		}
		if client {
			form.Set("client_assertion", assertion)
			form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		} else {
			form.Set("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
			form.Set("requested_token_use", "on_behalf_of")
			form.Set("client_secret", directory.DefaultClientSecret)
			form.Set("assertion", assertion)
		}
		r := httptest.NewRequest(http.MethodPost, tenantURL+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		fake.ServeHTTP(answer, r)
		var body struct {
			Codes []int `json:"error_codes"`
		}
		if err := decode(answer.Body.String(), &body); err != nil || len(body.Codes) != 1 {
			t.Fatalf("%v: %s", err, answer.Body)
		}
		if problem, found := aadsts.Find(body.Codes[0]); !found || problem.Status != answer.Code {
			t.Fatalf("status %d for AADSTS%d", answer.Code, body.Codes[0])
		}
	})
}

// For any token request, the answer is JSON with a status of the catalogue.
func FuzzToken(f *testing.F) {
	f.Add(redemption("1."+strings.Repeat("A", 700), nil).Encode(), "")
	f.Add(refreshing("1."+strings.Repeat("A", 700), nil).Encode(), "Basic Zm9vOmJhcg==")
	f.Add("grant_type=client_credentials&client_id=x&client_assertion=a.b.c&scope=%2f.default", "Basic !")
	fake, err := fakeentra.New(fakeentra.Config{AutoSignIn: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, form, authorization string) {
		r := httptest.NewRequest(http.MethodPost, tenantURL+"/oauth2/v2.0/token", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		answer := httptest.NewRecorder()
		fake.ServeHTTP(answer, r)
		if answer.Code != http.StatusOK && answer.Code != http.StatusBadRequest &&
			answer.Code != http.StatusUnauthorized {
			t.Fatalf("status %d", answer.Code)
		}
		var body map[string]any
		if err := decode(answer.Body.String(), &body); err != nil {
			t.Fatal(err)
		}
	})
}
