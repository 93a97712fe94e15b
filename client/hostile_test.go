package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
)

// elsewhere starts another origin, which records the Authorization headers and the queries that it
// gets.
func elsewhere(t *testing.T) (address string, seen func() []string) {
	var headers []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		headers = append(headers, r.Header.Get("Authorization")+r.URL.RawQuery)
	}))
	t.Cleanup(other.Close)
	return other.URL, func() []string { return headers }
}

func TestTokenGoesToNoOtherOrigin(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	other, seen := elsewhere(t)
	env.mcp = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other+"/taken", http.StatusTemporaryRedirect)
	}
	_, through := env.client(nil)
	for name, address := range map[string]string{
		"requested":           other,
		"after a redirect":    env.URL + "/mcp",
		"another name for it": strings.Replace(env.URL, "127.0.0.1", "localhost", 1) + "/mcp",
	} {
		response, err := through.Post(address, "text/plain", strings.NewReader("x"))
		require.NoError(t, err, name)
		_ = response.Body.Close()
	}
	assert.Equal(t, []string{"", ""}, seen())
	assert.Len(t, env.pages(), 1)
	assert.Equal(t, 1, env.count("POST /mcp Bearer"), "of three requests")
	assert.Equal(t, 3, env.count("POST /mcp "))
}

func TestTransportDropsCallersAuthorization(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	_, through := env.client(nil)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, env.URL+"/mcp", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer of-another-server")
	response, err := through.Do(request)
	require.NoError(t, err)
	_, _ = status(t, response)
	assert.Zero(t, env.count("GET /mcp Bearer of-another-server"))
}

// toItself redirects a request to its own path.
func toItself(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, status) }
}

func TestHostileServerGetsClearError(t *testing.T) {
	t.Parallel()
	const resource, issuer = "/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-authorization-server"
	const bank, elsewhere = "https://bank.example.com", "https://login.example.com"
	endpoints := `,"authorization_endpoint":"ORIGIN/a","token_endpoint":"ORIGIN/t"}`
	serve := func(path, text string) func(*testEnv) {
		return func(env *testEnv) {
			env.replace[path] = func(w http.ResponseWriter, _ *http.Request) { env.json(w, 200, text) }
		}
	}
	answer := func(path string, handler http.HandlerFunc) func(*testEnv) {
		return func(env *testEnv) { env.replace[path] = handler }
	}
	longChallenge := func(env *testEnv) { env.challenge = "Basic x, " + strings.Repeat("x", 20<<10) }
	for _, c := range []struct {
		name string
		set  func(env *testEnv)
		says string
	}{
		{"metadata that redirects without end", answer(resource, toItself(http.StatusFound)),
			"redirects, which is not followed"},
		{"an endpoint that redirects without end", answer("/mcp", toItself(http.StatusTemporaryRedirect)),
			"stopped after 10 redirects"},
		{"endless resource metadata", answer(resource, megabytes), "more than 1048576 bytes"},
		{"endless issuer metadata", answer(issuer, megabytes), "more than 1048576 bytes"},
		{"an endless registration", answer("/register", megabytes), "more than 1048576 bytes"},
		{"an endless token", answer("/token", megabytes), "more than 1048576 bytes"},
		{"an endless challenge", longChallenge, "challenge cannot be used"},
		{"metadata of another resource",
			serve(resource, `{"resource":"`+bank+`/mcp","authorization_servers":["ORIGIN"]}`), "describes"},
		{"an issuer over http",
			serve(resource, `{"resource":"ORIGIN/mcp","authorization_servers":["http://login.example.com"]}`),
			"neither https nor http on a loopback"},
		{"another issuer", serve(issuer, `{"issuer":"`+elsewhere+`"`+endpoints), elsewhere},
		{"an issuer without PKCE", serve(issuer, `{"issuer":"ORIGIN"`+endpoints), "does not advertise PKCE"},
		{"a page for a terminal", serve(issuer,
			`{"issuer":"ORIGIN","authorization_endpoint":"ms-settings:x","token_endpoint":"ORIGIN/t"}`),
			"authorization_endpoint"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			c.set(env)
			_, through := env.client(nil)
			_, err := through.Get(env.URL + "/mcp")
			require.ErrorContains(t, err, c.says)
			assert.Less(t, len(err.Error()), 1000)
			assert.Less(t, env.count(""), 20, "the tries are bounded")
			assert.NotContains(t, err.Error(), "secret-")
		})
	}
}

// TestSignInIgnoresEndlessRefusal: the body of a 401 never ends, and the sign-in does not wait for
// it.
func TestSignInIgnoresEndlessRefusal(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.replace["/mcp"] = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			return
		}
		w.Header().Set("WWW-Authenticate", `Bearer`)
		w.WriteHeader(http.StatusUnauthorized)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // the client hangs up
	}
	_, through := env.client(nil)
	code, _ := post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
}

func TestSignInRefusesOtherIssuersAnswer(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.replace["/.well-known/oauth-authorization-server"] = func(w http.ResponseWriter, _ *http.Request) {
		env.json(w, 200, `{"issuer":"ORIGIN","authorization_endpoint":"ORIGIN/authorize",
			"token_endpoint":"ORIGIN/token","registration_endpoint":"ORIGIN/register",
			"code_challenge_methods_supported":["S256"]}`)
	}
	_, through := env.client(func(config *client.Config) {
		mixed := newEnv(t) // the answer says that it comes from there
		config.Browser = func(_ context.Context, address string) error {
			page, err := url.Parse(address)
			require.NoError(t, err)
			query := page.Query()
			back := url.Values{"code": {"secret-code"}, "state": {query.Get("state")}, "iss": {mixed.URL}}
			response, err := http.Get(query.Get("redirect_uri") + "?" + back.Encode())
			if err == nil {
				_ = response.Body.Close()
			}
			return nil
		}
	})
	assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), "want iss "+env.URL)
	assert.Zero(t, env.count("POST /token"), "the code went nowhere")
}

func TestEventsHoldNoSecret(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.mcp = demanding(env, func(int) string { return "b" })
	under, through := env.client(func(config *client.Config) {
		config.ClientID = "known"
		config.ClientSecret = "secret-of-client"
	})
	env.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		r.Form.Set("client_id", "known")
		env.token(w, r)
	}
	post(t, through, env.URL+"/mcp", "")
	env.end()
	post(t, through, env.URL+"/mcp", "")
	_, err := under.SignOut(t.Context())
	require.NoError(t, err)
	var kinds []string
	for _, event := range env.told() {
		kinds = append(kinds, strings.TrimPrefix(fmt.Sprintf("%T", event), "client."))
		assert.NotContains(t, fmt.Sprintf("%+v", event), "secret-")
	}
	steps := []string{"ResourceFound", "IssuerFound", "Registered", "PageReady", "Answered", "Issued"}
	want := append([]string{"Challenged"}, steps...)
	want = append(append(want, "Challenged"), steps...)
	assert.Equal(t, append(want, "Challenged", "Issued"), kinds)
}
