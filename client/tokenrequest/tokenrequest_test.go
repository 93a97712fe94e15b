package tokenrequest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
)

// An issuer answers everything alike, and keeps the last request.
type issuer struct {
	*httptest.Server
	asked  int
	header http.Header
	form   url.Values
	query  string
}

func newIssuer(t *testing.T, status int, body string) *issuer {
	i := &issuer{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.asked++
		assert.NoError(t, r.ParseForm())
		i.header = r.Header
		i.form = r.PostForm
		i.query = r.URL.RawQuery
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(i.Close)
	return i
}

func noon() time.Time { return time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC) }

func (i *issuer) endpoint(client tokenrequest.Client) *tokenrequest.Endpoint {
	return &tokenrequest.Endpoint{URL: i.URL + "/token", Client: client, HTTPClient: i.Client(), Now: noon}
}

const issued = `{"access_token":"a-1","token_type":"bearer","expires_in":600,"refresh_token":"r-1","scope":"x y"}`

func TestCodeIsRedeemed(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, 200, issued)
	token, err := i.endpoint(tokenrequest.Client{ID: "f5a3"}).
		Redeem(t.Context(), "c-1", "v-1", "http://localhost:3000/callback", "https://mcp.example.com/mcp")
	require.NoError(t, err)
	assert.Equal(
		t,
		&tokenrequest.Token{Access: "a-1", Refresh: "r-1", Expiry: noon().Add(10 * time.Minute), Scopes: []string{"x", "y"}},
		token,
	)
	assert.Equal(t, url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {"c-1"},
		"code_verifier": {"v-1"},
		"redirect_uri":  {"http://localhost:3000/callback"},
		"resource":      {"https://mcp.example.com/mcp"},
		"client_id":     {"f5a3"},
	}, i.form)
	assert.Empty(t, i.query)
	assert.Empty(t, i.header.Get("Authorization"))
}

func TestRefreshKeepsWhatIsNotReplaced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, refresh string }{
		"replaced":     {issued, "r-1"},
		"not replaced": {`{"access_token":"a-2","token_type":"Bearer"}`, "r-0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t, 200, c.body)
			token, err := i.endpoint(tokenrequest.Client{ID: "f5a3"}).
				Refresh(t.Context(), "r-0", "https://mcp.example.com/mcp")
			require.NoError(t, err)
			assert.Equal(t, c.refresh, token.Refresh)
			assert.Equal(t, url.Values{
				"grant_type":    {"refresh_token"},
				"refresh_token": {"r-0"},
				"resource":      {"https://mcp.example.com/mcp"},
				"client_id":     {"f5a3"},
			}, i.form)
		})
	}
}

func TestClientAuthenticatesTheWayThatWasAgreedOn(t *testing.T) {
	t.Parallel()
	for method, c := range map[string]struct {
		basic bool
		form  url.Values
	}{
		"":                    {false, url.Values{"client_id": {"a:b c"}}},
		"none":                {false, url.Values{"client_id": {"a:b c"}}},
		"client_secret_post":  {false, url.Values{"client_id": {"a:b c"}, "client_secret": {"s/+ü"}}},
		"client_secret_basic": {true, url.Values{}},
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t, 200, issued)
			_, err := i.endpoint(tokenrequest.Client{ID: "a:b c", Secret: "s/+ü", AuthMethod: method}).
				Refresh(t.Context(), "r-0", "")
			require.NoError(t, err)
			c.form.Set("grant_type", "refresh_token")
			c.form.Set("refresh_token", "r-0")
			assert.Equal(t, c.form, i.form)
			id, secret, basic := (&http.Request{Header: i.header}).BasicAuth()
			assert.Equal(t, c.basic, basic)
			if basic { // both are encoded as in a form (RFC 6749 section 2.3.1)
				assert.Equal(t, "a%3Ab+c", id)
				assert.Equal(t, "s%2F%2B%C3%BC", secret)
			}
		})
	}
	i := newIssuer(t, 200, issued)
	_, err := i.endpoint(tokenrequest.Client{ID: "f5a3", AuthMethod: "private_key_jwt"}).Refresh(t.Context(), "r-0", "")
	require.ErrorContains(t, err, "private_key_jwt without a key")
	assert.Zero(t, i.asked)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		says   string
		over   bool
	}{
		"the grant has ended":       {400, `{"error":"invalid_grant","error_description":"revoked"}`, "invalid_grant: revoked", true},
		"the client is not known":   {401, `{"error":"invalid_client"}`, "invalid_client", false},
		"with a good status":        {200, `{"error":"bad","error_description":"gone"}`, "bad: gone", false},
		"with a token beside it":    {200, `{"error":"no","access_token":"a-1","token_type":"Bearer"}`, "no", false},
		"with marks for a terminal": {400, `{"error":"x\u001b[2J","error_description":"\u202e\u0007"}`, "x?[2J: ??", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t, c.status, c.body)
			_, err := i.endpoint(tokenrequest.Client{ID: "f5a3"}).Refresh(t.Context(), "r-secret", "")
			var refused *tokenrequest.Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, c.says, err.Error())
			assert.Equal(t, c.status, refused.Status)
			assert.Equal(t, c.over, refused.Over())
		})
	}
}

// TestWhatIsNoRefusal are answers that do not end a grant: they say nothing about it.
func TestWhatIsNoRefusal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status     int
		body, says string
	}{
		"broken, whatever it says":       {503, `{"error":"invalid_grant"}`, "status 503"},
		"busy, whatever it says":         {429, `{"error":"invalid_grant"}`, "status 429"},
		"out of order, with 400":         {400, `{"error":"temporarily_unavailable"}`, "temporarily_unavailable"},
		"refused by something between":   {403, `<p>Blocked`, "status 403"},
		"a redirect":                     {307, ``, "status 307"},
		"no JSON":                        {200, `<p>`, "not the JSON"},
		"a key twice":                    {200, `{"access_token":"a","access_token":"b","token_type":"Bearer"}`, "not the JSON"},
		"megabytes":                      {200, `{"access_token":"` + strings.Repeat("x", 2<<20) + `","token_type":"Bearer"}`, "more than 1048576 bytes"},
		"no token":                       {200, `{"token_type":"Bearer"}`, "no access token"},
		"a token with a line break":      {200, `{"access_token":"a\r\nX-Evil: 1","token_type":"Bearer"}`, "no access token"},
		"no token type":                  {200, `{"access_token":"a-1"}`, `token_type Bearer, got ""`},
		"a token type that is not known": {200, `{"access_token":"a-1","token_type":"DPoP\u001b"}`, `token_type Bearer, got "DPoP?"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t, c.status, c.body)
			_, err := i.endpoint(tokenrequest.Client{ID: "f5a3", Secret: "s-secret", AuthMethod: "client_secret_post"}).
				Redeem(t.Context(), "c-secret", "v-secret", "http://localhost/c", "")
			require.ErrorContains(t, err, c.says)
			var refused *tokenrequest.Error
			assert.NotErrorAs(t, err, &refused)
			assert.NotContains(t, err.Error(), "secret")
			assert.Less(t, len(err.Error()), 300)
			assert.Equal(t, 1, i.asked, "nothing was sent to anywhere else")
		})
	}
}

func TestExpiryIsReadAsFarAsItCanBe(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		`600`:    10 * time.Minute,
		`"600"`:  10 * time.Minute,
		`6e2`:    10 * time.Minute,
		`0`:      0,
		`-1`:     0,
		`null`:   0,
		`"soon"`: 0,
		`1e300`:  0,
		`{}`:     0,
		`"NaN"`:  0,
		`"Inf"`:  0,
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t, 200, `{"access_token":"a-1","token_type":"Bearer","expires_in":`+value+`}`)
			token, err := i.endpoint(tokenrequest.Client{ID: "f5a3"}).Refresh(t.Context(), "r-0", "")
			require.NoError(t, err)
			if want == 0 {
				assert.Zero(t, token.Expiry)
				return
			}
			assert.Equal(t, noon().Add(want), token.Expiry)
		})
	}
}

func TestScopesThatAreNotSaid(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, 200, `{"access_token":"a-1","token_type":"Bearer"}`)
	token, err := i.endpoint(tokenrequest.Client{}).Refresh(t.Context(), "r-0", "")
	require.NoError(t, err)
	assert.Nil(t, token.Scopes)
	i = newIssuer(t, 200, `{"access_token":"a-1","token_type":"Bearer","scope":""}`)
	token, err = i.endpoint(tokenrequest.Client{}).Refresh(t.Context(), "r-0", "")
	require.NoError(t, err)
	assert.NotNil(t, token.Scopes, "none is an answer too")
}

func TestTokenIsRevoked(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, 200, ``)
	endpoint := i.endpoint(tokenrequest.Client{ID: "f5a3"})
	require.NoError(t, endpoint.Revoke(t.Context(), i.URL+"/revoke", "r-1"))
	assert.Equal(t, url.Values{"token": {"r-1"}, "client_id": {"f5a3"}}, i.form)
	i = newIssuer(t, 503, ``)
	err := endpoint.Revoke(t.Context(), i.URL+"/revoke", "r-secret")
	require.ErrorContains(t, err, "status 503")
	assert.NotContains(t, err.Error(), "secret")
}

func TestNetworkErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, 200, issued)
	endpoint := i.endpoint(tokenrequest.Client{ID: "f5a3", Secret: "s-secret", AuthMethod: "client_secret_post"})
	i.Close()
	_, err := endpoint.Refresh(t.Context(), "r-secret", "")
	require.ErrorContains(t, err, "token endpoint")
	assert.NotContains(t, err.Error(), "secret")
	require.ErrorContains(t, endpoint.Revoke(t.Context(), i.URL, "r-secret"), "revocation endpoint")
}
