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

// elsewhere is another origin, which keeps what it is sent.
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
	s := newSite(t)
	other, seen := elsewhere(t)
	s.mcp = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other+"/taken", http.StatusTemporaryRedirect)
	}
	_, through := s.client(nil)
	for name, address := range map[string]string{
		"asked for":               other,
		"after a redirect":        s.URL + "/mcp",
		"another name for itself": strings.Replace(s.URL, "127.0.0.1", "localhost", 1) + "/mcp",
	} {
		response, err := through.Post(address, "text/plain", strings.NewReader("x"))
		require.NoError(t, err, name)
		_ = response.Body.Close()
	}
	assert.Equal(t, []string{"", ""}, seen())
	assert.Len(t, s.pages(), 1)
	assert.Equal(t, 1, s.count("POST /mcp Bearer"), "of three requests")
	assert.Equal(t, 3, s.count("POST /mcp "))
}

func TestCallersAuthorizationIsNotSentAlong(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, through := s.client(nil)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/mcp", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer of-another-server")
	response, err := through.Do(request)
	require.NoError(t, err)
	_, _ = status(t, response)
	assert.Zero(t, s.count("GET /mcp Bearer of-another-server"))
}

// megabytes sends JSON without an end.
func megabytes(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for _, err := fmt.Fprint(w, `{"x":"`); err == nil && r.Context().Err() == nil; {
		_, err = fmt.Fprint(w, strings.Repeat("x", 64<<10))
	}
}

func TestHostileServersGetAClearError(t *testing.T) {
	t.Parallel()
	const resource, issuer = "/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-authorization-server"
	document := func(s *site, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { s.json(w, 200, text) }
	}
	for name, c := range map[string]struct {
		set  func(s *site)
		says string
	}{
		"metadata that redirects for ever": {func(s *site) {
			s.replace[resource] = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }
		}, "redirects, which is not followed"},
		"an endpoint that redirects for ever": {func(s *site) {
			s.replace["/mcp"] = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
			}
		}, "stopped after 10 redirects"},
		"endless resource metadata": {func(s *site) { s.replace[resource] = megabytes }, "more than 1048576 bytes"},
		"endless issuer metadata":   {func(s *site) { s.replace[issuer] = megabytes }, "more than 1048576 bytes"},
		"an endless registration":   {func(s *site) { s.replace["/register"] = megabytes }, "more than 1048576 bytes"},
		"an endless token":          {func(s *site) { s.replace["/token"] = megabytes }, "more than 1048576 bytes"},
		"an endless challenge":      {func(s *site) { s.challenge = "Basic x, " + strings.Repeat("x", 20<<10) }, "challenge cannot be used"},
		"metadata of another resource": {func(s *site) {
			s.replace[resource] = document(s, `{"resource":"https://bank.example.com/mcp","authorization_servers":["ORIGIN"]}`)
		}, "describes"},
		"an issuer over http": {func(s *site) {
			s.replace[resource] = document(s, `{"resource":"ORIGIN/mcp","authorization_servers":["http://login.example.com"]}`)
		}, "neither https nor http on a loopback"},
		"an issuer that is another": {func(s *site) {
			s.replace[issuer] = document(s, `{"issuer":"https://login.example.com","authorization_endpoint":"ORIGIN/a","token_endpoint":"ORIGIN/t"}`)
		}, "to the letter"},
		"an issuer without PKCE": {func(s *site) {
			s.replace[issuer] = document(s, `{"issuer":"ORIGIN","authorization_endpoint":"ORIGIN/a","token_endpoint":"ORIGIN/t"}`)
		}, "does not advertise PKCE"},
		"a page for a terminal": {func(s *site) {
			s.replace[issuer] = document(s, `{"issuer":"ORIGIN","authorization_endpoint":"ms-settings:x","token_endpoint":"ORIGIN/t"}`)
		}, "authorization_endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			c.set(s)
			_, through := s.client(nil)
			_, err := through.Get(s.URL + "/mcp")
			require.ErrorContains(t, err, c.says)
			assert.Less(t, len(err.Error()), 1000)
			assert.Less(t, s.count(""), 20, "nothing is tried for ever")
			assert.NotContains(t, err.Error(), "secret-")
		})
	}
}

// TestRefusalsWithoutAnEnd never finish the body of a 401. The sign-in does not wait for it.
func TestRefusalsWithoutAnEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.replace["/mcp"] = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			return
		}
		w.Header().Set("WWW-Authenticate", `Bearer`)
		w.WriteHeader(http.StatusUnauthorized)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // the client hangs up
	}
	_, through := s.client(nil)
	code, _ := post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
}

func TestAnswerOfAnotherIssuerIsNotUsed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.replace["/.well-known/oauth-authorization-server"] = func(w http.ResponseWriter, _ *http.Request) {
		s.json(w, 200, `{"issuer":"ORIGIN","authorization_endpoint":"ORIGIN/authorize","token_endpoint":"ORIGIN/token",
			"registration_endpoint":"ORIGIN/register","code_challenge_methods_supported":["S256"]}`)
	}
	_, through := s.client(func(config *client.Config) {
		mixed := newSite(t) // the answer says that it comes from there
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
	assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), "want iss "+s.URL)
	assert.Zero(t, s.count("POST /token"), "the code went nowhere")
}

func TestEventsHoldNoSecret(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.mcp = demanding(s, func(int) string { return "b" })
	under, through := s.client(func(config *client.Config) {
		config.ClientID = "known"
		config.ClientSecret = "secret-of-client"
	})
	s.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		r.Form.Set("client_id", "known")
		s.token(w, r)
	}
	post(t, through, s.URL+"/mcp", "")
	s.end()
	post(t, through, s.URL+"/mcp", "")
	_, err := under.SignOut(t.Context())
	require.NoError(t, err)
	var kinds []string
	for _, event := range s.told() {
		kinds = append(kinds, strings.TrimPrefix(fmt.Sprintf("%T", event), "client."))
		assert.NotContains(t, fmt.Sprintf("%+v", event), "secret-")
	}
	steps := []string{"ResourceFound", "IssuerFound", "Registered", "PageReady", "Answered", "Issued"}
	want := append([]string{"Challenged"}, steps...)
	want = append(append(want, "Challenged"), steps...)
	assert.Equal(t, append(want, "Challenged", "Issued"), kinds)
}
