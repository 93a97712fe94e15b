package fakeentra_test

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// The environment of the tests: the helpers that several files use.

const (
	login     = "https://login.microsoftonline.com"
	callback  = "http://localhost:8000/auth/callback"
	apiURI    = "api://" + directory.DefaultAPIID
	apiScope  = apiURI + "/tool.read"
	otherUser = "AlexW@" + directory.DefaultDomain
	verifier  = "a-verifier-of-forty-three-characters-at-the-least"
	tenantURL = login + "/" + directory.DefaultTenantID
)

// challenge is the S256 code challenge of a verifier (RFC 7636 section 4.2).
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// visit sends forms as a browser does, with the cookies of the pages before.
type visit struct {
	t       *testing.T
	fake    *fakeentra.Fake
	cookies []*http.Cookie
}

// open requests a page.
func (v *visit) open(method, address string, form url.Values) answer {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, address, strings.NewReader(form.Encode()))
	require.NoError(v.t, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, cookie := range v.cookies {
		r.AddCookie(cookie)
	}
	got := do(v.t, v.fake, r)
	if set := (&http.Response{Header: got.Header}).Cookies(); len(set) > 0 {
		v.cookies = set
	}
	return got
}

// post sends the form of a sign-in page.
func (v *visit) post(step string, params, form url.Values) answer {
	v.t.Helper()
	return v.open(http.MethodPost, tenantURL+"/authorize/v2/"+step+"?"+params.Encode(), form)
}

// change writes a form with one name changed; an empty value takes it away.
func change(form url.Values, name, value string) string {
	changed := url.Values{}
	for one, values := range form {
		changed[one] = values
	}
	return with(changed, map[string]string{name: value}).Encode()
}

// post sends a form and returns the body.
func post(b *testing.B, client *http.Client, address string, form url.Values) []byte {
	response, err := client.PostForm(address, form)
	require.NoError(b, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(b, err)
	require.Equal(b, http.StatusOK, response.StatusCode, "%s", body)
	return body
}

// newFake makes a fake that signs users in without a page, unless the config says otherwise.
func newFake(t *testing.T, config fakeentra.Config) *fakeentra.Fake {
	t.Helper()
	fake, err := fakeentra.New(config)
	require.NoError(t, err)
	return fake
}

// request is an authorization request that is in order, with some parameters changed; an empty
// value takes one away.
func request(changes map[string]string) url.Values {
	params := url.Values{
		"client_id":             {directory.DefaultClientID},
		"response_type":         {"code"},
		"redirect_uri":          {callback},
		"scope":                 {"openid profile offline_access User.Read"},
		"state":                 {"a state/with+signs"},
		"nonce":                 {"a-nonce"},
		"code_challenge":        {challenge(verifier)},
		"code_challenge_method": {"S256"},
	}
	return with(params, changes)
}

// with copies parameters with changes; an empty value removes one.
func with(params url.Values, changes map[string]string) url.Values {
	for name, value := range changes {
		if value == "" {
			params.Del(name)
		} else {
			params.Set(name, value)
		}
	}
	return params
}

// An answer is a response whose body has been read.
type answer struct {
	Status int
	Header http.Header
	Body   string
	JSON   map[string]any // nil unless the body is JSON
}

// text returns a string member of a JSON answer.
func (a answer) text(name string) string {
	value, _ := a.JSON[name].(string)
	return value
}

// number returns the AADSTS number of an error.
func (a answer) number(t *testing.T) int {
	t.Helper()
	codes, _ := a.JSON["error_codes"].([]any)
	require.Len(t, codes, 1, a.Body)
	number, _ := codes[0].(float64)
	return int(number)
}

// do sends a request and reads the answer.
func do(t *testing.T, fake *fakeentra.Fake, r *http.Request) answer {
	t.Helper()
	client := fake.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	got := answer{Status: response.StatusCode, Header: response.Header, Body: string(body)}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		require.NoError(t, json.Unmarshal(body, &got.JSON), string(body))
	}
	return got
}

// get requests an address.
func get(t *testing.T, fake *fakeentra.Fake, address string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	return do(t, fake, r)
}

// authorize sends an authorization request.
func authorize(t *testing.T, fake *fakeentra.Fake, params url.Values) answer {
	t.Helper()
	return get(t, fake, tenantURL+"/oauth2/v2.0/authorize?"+params.Encode())
}

// token sends a token request.
func token(t *testing.T, fake *fakeentra.Fake, form url.Values) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		tenantURL+"/oauth2/v2.0/token",
		strings.NewReader(form.Encode()),
	)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(t, fake, r)
}

// returned reads the parameters that a redirect carries back to the client.
func returned(t *testing.T, got answer) url.Values {
	t.Helper()
	require.Equal(t, http.StatusFound, got.Status, got.Body)
	location, err := url.Parse(got.Header.Get("Location"))
	require.NoError(t, err)
	if location.Fragment != "" {
		params, err := url.ParseQuery(location.EscapedFragment())
		require.NoError(t, err)
		return params
	}
	return location.Query()
}

// signIn gets a code without a person.
func signIn(t *testing.T, fake *fakeentra.Fake, changes map[string]string) string {
	t.Helper()
	code := returned(t, authorize(t, fake, request(changes))).Get("code")
	require.NotEmpty(t, code)
	return code
}

// redemption is a valid token request for a code of signIn.
func redemption(code string, changes map[string]string) url.Values {
	return with(url.Values{
		"grant_type":    {"authorization_code"},
		"client_id":     {directory.DefaultClientID},
		"client_secret": {directory.DefaultClientSecret},
		"code":          {code},
		"redirect_uri":  {callback},
		"code_verifier": {verifier},
	}, changes)
}

// refreshing is a valid token request for a refresh token.
func refreshing(refreshToken string, changes map[string]string) url.Values {
	return with(url.Values{
		"grant_type":    {"refresh_token"},
		"client_id":     {directory.DefaultClientID},
		"client_secret": {directory.DefaultClientSecret},
		"refresh_token": {refreshToken},
	}, changes)
}

// claims reads a token without verifying it.
func claims(t *testing.T, raw string) (header, payload map[string]any) {
	t.Helper()
	parts := strings.Split(raw, ".")
	require.Len(t, parts, 3, raw)
	for i, into := range []*map[string]any{&header, &payload} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, into))
	}
	return header, payload
}

// members lists the names of a JSON object in the order of the wire.
func members(t *testing.T, body string) []string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(body))
	var names []string
	_, err := decoder.Token()
	require.NoError(t, err)
	for decoder.More() {
		name, err := decoder.Token()
		require.NoError(t, err)
		names = append(names, name.(string))
		var value json.RawMessage
		require.NoError(t, decoder.Decode(&value))
	}
	return names
}

// decode reads JSON.
func decode(body string, into any) error { return json.Unmarshal([]byte(body), into) }

// directoryOfApps is a directory with an app of each kind.
func directoryOfApps(t *testing.T) (directory.Directory, *x509.Certificate, crypto.PrivateKey) {
	t.Helper()
	certificate, key := newCertificate(t)
	d := directory.Default()
	tenant := &d.Tenants[0]
	tenant.Apps[0].Certificates = []string{
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})),
	}
	tenant.Apps[0].FederatedCredentials = []directory.FederatedCredential{
		{Issuer: "https://workload.test/5a1e0001-0000-4000-8000-000000000001/v2.0", Subject: "workload"},
	}
	tenant.Apps = append(tenant.Apps, directory.App{
		ID:             middleTierID,
		ObjectID:       "5a1e0002-0000-4000-8000-0000000000ab",
		DisplayName:    "Middle tier",
		Secrets:        []string{"middle"},
		IdentifierURIs: []string{"api://middle/" + middleTierID},
		Scopes:         []directory.Scope{{Name: "access", DisplayName: "Use it"}},
		TokenVersion:   2,
		Consented:      []string{"User.Read", apiScope},
	})
	tenant.Apps[1].AllowPublicFlows = true
	tenant.Apps[1].Consented = []string{"User.Read"}
	return d, certificate, key
}

// at sends a form to the token endpoint of a tenant segment.
func at(t *testing.T, fake *fakeentra.Fake, segment string, form url.Values) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		login+"/"+segment+"/oauth2/v2.0/token",
		strings.NewReader(form.Encode()),
	)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(t, fake, r)
}

// changed is the default directory with a change to its tenant.
func changed(change func(*directory.Tenant)) directory.Directory {
	d := directory.Default()
	change(&d.Tenants[0])
	return d
}

// verifies checks a token with the published key that it names, as a resource does.
func verifies(t *testing.T, fake *fakeentra.Fake, raw string) {
	t.Helper()
	assert.NoError(t, verify(t, fake, raw))
}
