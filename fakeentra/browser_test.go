package fakeentra_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

const (
	login     = "https://login.microsoftonline.com"
	callback  = "http://localhost:8000/auth/callback"
	apiURI    = "api://" + directory.DefaultAPIID
	apiScope  = apiURI + "/tool.read"
	otherUser = "AlexW@" + directory.DefaultDomain
	verifier  = "a-verifier-of-forty-three-characters-at-the-least"
	tenantURL = login + "/" + directory.DefaultTenantID
)

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
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

// An answer is what came back, with the body read.
type answer struct {
	Status int
	Header http.Header
	Body   string
	JSON   map[string]any // nil unless the body is JSON
}

func (a answer) text(name string) string {
	value, _ := a.JSON[name].(string)
	return value
}

// number is the AADSTS number of an error.
func (a answer) number(t *testing.T) int {
	t.Helper()
	codes, _ := a.JSON["error_codes"].([]any)
	require.Len(t, codes, 1, a.Body)
	number, _ := codes[0].(float64)
	return int(number)
}

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

func get(t *testing.T, fake *fakeentra.Fake, address string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	return do(t, fake, r)
}

func authorize(t *testing.T, fake *fakeentra.Fake, params url.Values) answer {
	t.Helper()
	return get(t, fake, tenantURL+"/oauth2/v2.0/authorize?"+params.Encode())
}

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

// returned are the parameters that a redirect carries back to the client.
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

// redemption is a token request that is in order for a code of signIn.
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
