package fakeentra_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"mcpentra/fakeentra"
)

// Whatever stands in an authorization request, the answer is a page or leads to the registered address.
func FuzzAuthorize(f *testing.F) {
	f.Add(request(nil).Encode())
	f.Add(request(map[string]string{"redirect_uri": "http://localhost:1@evil.example/auth/callback"}).Encode())
	f.Add(request(map[string]string{"redirect_uri": "http://localhost\\@evil.example/auth/callback"}).Encode())
	f.Add(request(map[string]string{"response_mode": "form_post", "state": "\"><script>"}).Encode())
	f.Add(request(map[string]string{"scope": "/ // api:///.default openid"}).Encode())
	f.Add("client_id=%00&scope=%zz;;")
	fake, err := fakeentra.New(fakeentra.Config{AutoSignIn: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL = &url.URL{Path: strings.TrimPrefix(tenantURL, "https://login.microsoftonline.com") + "/oauth2/v2.0/authorize", RawQuery: query}
		answer := httptest.NewRecorder()
		fake.ServeHTTP(answer, r)
		if answer.Code != http.StatusOK && answer.Code != http.StatusFound {
			t.Fatalf("status %d", answer.Code)
		}
		if location := answer.Header().Get("Location"); location != "" {
			target, err := url.Parse(location)
			if err != nil || target.Hostname() != "localhost" || target.Path != "/auth/callback" && target.Path != "/" || target.User != nil {
				t.Fatalf("leads to %q", location)
			}
		}
		if strings.Contains(answer.Body.String(), "<script>\"") {
			t.Fatal("markup got through")
		}
	})
}

// Whatever stands in a token request, the answer is JSON with a status of the catalogue.
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
		if answer.Code != http.StatusOK && answer.Code != http.StatusBadRequest && answer.Code != http.StatusUnauthorized {
			t.Fatalf("status %d", answer.Code)
		}
		var body map[string]any
		if err := decode(answer.Body.String(), &body); err != nil {
			t.Fatal(err)
		}
	})
}
