package broker_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/clientip"
)

// sentinel takes the place of secrets. No log line may contain it.
const sentinel = "s3ntinel"

// TestEveryRefusalLeavesOneLine sends bad requests to each endpoint, and reads the log.
func TestEveryRefusalLeavesOneLine(t *testing.T) {
	t.Parallel()
	proxies, err := clientip.ParseProxies([]string{"10.0.0.1"})
	require.NoError(t, err)
	log := &logText{}
	e := newEnv(t, options{log: log, perMinute: 50, proxies: proxies})
	c := e.public()
	secretive, _ := e.register(`{"redirect_uris":["` + loopback + `"]}`)
	victims := e.signedIn(c)
	code := e.code(c, e.browser()).Get("code")
	used := e.code(c, e.browser()).Get("code")
	_, status := e.token(redemption(c, used))
	require.Equal(t, 200, status)

	form := func(values url.Values, change ...string) string {
		for i := 0; i < len(change); i += 2 {
			values.Set(change[i], change[i+1])
		}
		return values.Encode()
	}
	registers := func(member, value string) string {
		return `{"redirect_uris":["` + loopback + `"],"` + member + `":` + value + `}`
	}
	const hostile = "https://u:" + sentinel + "@evil.example/cb?x=" + sentinel
	authorize := func(change ...string) string { return strings.TrimPrefix(e.request(c, change...), e.origin) }
	tests := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		want                     []string
	}{
		{"text", "POST", "/register", "{}", []string{"Content-Type", "text/plain", "Origin", "https://e.example"}, 415,
			[]string{"content_type=text/plain", "origin=https://e.example"}},
		{"no JSON", "POST", "/register", `{"client_name":"` + sentinel, nil, 400, []string{"not JSON"}},
		{"a type", "POST", "/register", `{"redirect_uris":"` + sentinel + `"}`, nil, 400, []string{"/redirect_uris"}},
		{"a redirect", "POST", "/register", `{"redirect_uris":["ftp://files.example/` + sentinel + `"]}`, nil, 400,
			[]string{"ftp://files.example", "invalid_redirect_uri"}},
		{"a method", "POST", "/register", registers("token_endpoint_auth_method", `"tls\n"`), nil, 400,
			[]string{`token_endpoint_auth_method="tls\n"`}},
		{"a grant", "POST", "/register", registers("grant_types", `["password"]`), nil, 400,
			[]string{"grant_types=password"}},
		{"a page", "GET", authorize(), "", fetched("cross-site", "no-cors", "image"), 403,
			[]string{"mode=no-cors", "destination=image"}},
		{"a client", "GET", authorize("client_id", "unknown"), "", nil, 400, []string{"client=unknown"}},
		{"a long client", "GET", authorize("client_id", strings.Repeat("n", 5000)), "", nil, 400, []string{"nnn…"}},
		{"a redirect URI", "GET", authorize("redirect_uri", hostile), "", nil, 400,
			[]string{"redirect_uri=", "evil.example/cb?…", "registered=" + loopback}},
		{"twice", "GET", authorize() + "&state=" + sentinel, "", nil, 400, []string{"parameter=state"}},
		{"a response type", "GET", authorize("response_type", "token"), "", nil, 302,
			[]string{"response_type=token", c.ID}},
		{"a resource", "GET", authorize("resource", "https://other.example/mcp"), "", nil, 302,
			[]string{"resource=https://other.example/mcp", "MCP_PUBLIC_URL", "MCP_PATH"}},
		{"silence", "GET", authorize("prompt", "none"), "", nil, 302, []string{"error=interaction_required"}},
		{"a verb", "PUT", "/authorize", "", nil, 405, []string{"method=PUT"}},
		{"another verb", "GET", "/token", "", nil, 405, []string{"method=GET"}},
		{"approval", "POST", "/authorize/consent", "", []string{"Origin", "https://evil.example"}, 403,
			[]string{"origin=https://evil.example", "setting=MCP_PUBLIC_URL"}},
		{"a state", "GET", "/auth/callback?code=" + sentinel + "&state=" + sentinel, "", nil, 400,
			[]string{"did not begin here"}},
		{"a grant type", "POST", "/token", "grant_type=password", nil, 400, []string{"grant_type=password"}},
		{"no client", "POST", "/token", form(redemption(c, sentinel), "client_id", "unknown"), nil, 401,
			[]string{"client=unknown"}},
		{"a wrong secret", "POST", "/token", form(redemption(secretive, sentinel), "client_secret", sentinel), nil, 401,
			[]string{`reason="the secret is wrong"`, "client=" + secretive.ID, "registered_method="}},
		{"no secret", "POST", "/token", form(redemption(secretive, sentinel)), nil, 401, []string{"sent no secret"}},
		{"two secrets", "POST", "/token", form(redemption(secretive, sentinel), "client_secret", sentinel),
			[]string{"Authorization", basic(secretive.ID, sentinel)}, 400, []string{"two ways", secretive.ID}},
		{"an assertion", "POST", "/token", form(redemption(c, sentinel), "client_assertion", sentinel), nil, 401,
			[]string{"assertion"}},
		{"a code", "POST", "/token", form(redemption(c, sentinel)), nil, 400,
			[]string{"the code is unknown", "client=" + c.ID}},
		{"a verifier", "POST", "/token", form(redemption(c, code), "code_verifier", strings.Repeat(sentinel, 6)), nil,
			400, []string{"code_verifier does not belong"}},
		{"another redirect", "POST", "/token", form(redemption(c, code), "redirect_uri", "http://[::1]/x?"+sentinel),
			nil, 400, []string{"redirect_uri=http://[::1]/x?…", "want=" + loopback}},
		{"another's code", "POST", "/token", form(redemption(e.public(), code)), nil, 400, []string{"another client"}},
		{"a target", "POST", "/token", form(redemption(c, code), "resource", "https://o.example/"), nil, 400,
			[]string{"resource=https://o.example/", "MCP_PUBLIC_URL"}},
		{"a replay", "POST", "/token", form(redemption(c, used)), nil, 400, []string{"level=WARN", "redeemed twice"}},
		{"a refresh", "POST", "/token", form(refreshing(c, sentinel)), nil, 400, []string{"not a refresh token"}},
		{"another's refresh", "POST", "/token", form(refreshing(e.public(), victims.Refresh)), nil, 400,
			[]string{"another client"}},
		{"no token", "POST", "/revoke", "client_id=" + c.ID, nil, 400, []string{"token is missing", "client=" + c.ID}},
	}
	for _, test := range tests {
		before := len(log.String())
		r := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if test.path == "/register" {
			r.Header.Set("Content-Type", "application/json")
		}
		headers := append([]string{"X-Forwarded-For", "198.51.100.7"}, test.headers...)
		assert.Equal(t, test.status, e.arrives(r, "10.0.0.1:1", headers...), test.name)
		line := log.String()[before:]
		assert.Equal(t, 1, strings.Count(line, "\n"), "%s: %s", test.name, line)
		assert.Less(t, len(line), 1000, test.name)
		for _, want := range append(test.want, "msg=refused", "address=198.51.100.7", "path=/", "status=", "error=") {
			assert.Contains(t, line, want, test.name)
		}
		for _, hidden := range []string{sentinel, code, used, verifier, victims.Refresh, secretive.Secret} {
			assert.NotContains(t, line, hidden, test.name)
		}
	}
	for status := 0; status != http.StatusTooManyRequests; {
		status = e.registersFrom("192.0.2.1:1")
	}
	assert.Contains(t, log.String(), "MCP_TRUSTED_PROXIES")
	assert.Contains(t, log.String(), "MCP_REGISTRATIONS_PER_MINUTE")
}
