package client_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
)

// redirectingSite answers at the MCP endpoint with a redirect, and at other paths with nothing.
func redirectingSite(t *testing.T, status int, location string) *site {
	s := newSite(t)
	s.mcp = func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/mcp" {
			w.Header().Set("Location", location)
			w.WriteHeader(status)
		}
	}
	return s
}

// withToken is the request lines that carried a token, other than those to the MCP endpoint.
func (s *site) withToken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, line := range s.journal {
		if strings.Contains(line, "Bearer secret-") && !strings.Contains(line, " /mcp ") {
			all = append(all, line)
		}
	}
	return all
}

func TestATokenDoesNotGoToAnotherPath(t *testing.T) {
	t.Parallel()
	for _, location := range []string{
		"/team-b", "/mcp2", "/mcpx/more", "/MCP", "/", "/mcp/../team-b", "/mcp/%2e%2e/team-b", "/mcp/%2E./team-b",
		"/mcp/..%2fteam-b", "/mcp/%252e%252e/team-b", "/mcp/..;/team-b", "/mcp/..%5cteam-b", "/%6dcp/../team-b",
		"/mcp%2f..%2fteam-b", "//mcp",
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			t.Run(fmt.Sprint(status, " ", location), func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				s.mcp = func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Location", s.URL+location)
					w.WriteHeader(status)
				}
				_, through := s.client(nil)
				response, err := through.Post(s.URL+"/mcp", "application/json", strings.NewReader("{}"))
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
				assert.Equal(t, http.StatusUnauthorized, response.StatusCode, "the other path gets no token")
				assert.Empty(t, s.withToken())
				assert.Len(t, s.pages(), 1, "the other path starts no sign-in")
			})
		}
	}
}

func TestATokenGoesWhereItsResourceIs(t *testing.T) {
	t.Parallel()
	root := `{"resource":"ORIGIN","authorization_servers":["ORIGIN"]}`
	for name, c := range map[string]struct {
		location, root string
		noResource     bool
		follows        bool
	}{
		"a slash at the end":               {location: "/mcp/", follows: true},
		"a path below":                     {location: "/mcp/v2", follows: true},
		"a query":                          {location: "/mcp?a=b", follows: true},
		"all of the origin":                {location: "/team-b", root: root, follows: true},
		"all of the origin, dots and all":  {location: "/mcp/%2e%2e/team-b", root: root, follows: true},
		"a resource that was not asked":    {location: "/team-b", root: root, noResource: true},
		"a path below, no resource at all": {location: "/mcp/v2", noResource: true, follows: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redirectingSite(t, http.StatusTemporaryRedirect, c.location)
			if c.root != "" {
				s.challenge = "Bearer"
				s.replace["/.well-known/oauth-protected-resource/mcp"] = http.NotFound
				s.replace["/.well-known/oauth-protected-resource"] = func(w http.ResponseWriter, _ *http.Request) {
					s.json(w, 200, c.root)
				}
			}
			_, through := s.client(func(config *client.Config) { config.Entra.NoResource = c.noResource })
			code, _ := post(t, through, s.URL+"/mcp", "{}")
			want := http.StatusUnauthorized
			if c.follows {
				want = http.StatusOK
			}
			assert.Equal(t, want, code)
			assert.Len(t, s.pages(), 1)
		})
	}
}

// TestACallersOwnAuthorizationStaysBehind has a caller set a header of its own, which a redirect
// repeats.
func TestACallersOwnAuthorizationStaysBehind(t *testing.T) {
	t.Parallel()
	s := redirectingSite(t, http.StatusTemporaryRedirect, "/team-b")
	_, through := s.client(nil)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/mcp", strings.NewReader("{}"))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer secret-of-another-server")
	response, err := through.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Empty(t, s.withToken())
	assert.Equal(t, "Bearer secret-of-another-server", request.Header.Get("Authorization"))
}

func TestARequestToAnotherPathNeedsNoSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, through := s.client(nil)
	response, err := through.Get(s.URL + "/elsewhere")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
	assert.Empty(t, s.pages())
}

// A server of MCP 2024-11-05 names another path for the client's messages.
func TestATokenGoesToNeighboursThatTheCallerAsksFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		server, path string
		status       int
	}{
		"messages beside the stream":           {"/team-a/sse", "/team-a/messages", http.StatusOK},
		"messages below":                       {"/team-a/sse", "/team-a/sse/messages", http.StatusOK},
		"another server":                       {"/team-a/sse", "/team-b/messages", http.StatusUnauthorized},
		"the root of several servers":          {"/team-a/sse", "/", http.StatusUnauthorized},
		"another server, by dots":              {"/team-a/sse", "/team-a/../team-b", http.StatusUnauthorized},
		"another server, by encoded dots":      {"/team-a/sse", "/team-a/%2e%2e/team-b", http.StatusUnauthorized},
		"another server with the same letters": {"/team-a/sse", "/team-ab/messages", http.StatusUnauthorized},
		"beside a server at the root":          {"/sse", "/messages", http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.replace["/.well-known/oauth-protected-resource/mcp"] = func(w http.ResponseWriter, _ *http.Request) {
				s.json(w, http.StatusOK, `{"resource":"ORIGIN`+c.server+`","authorization_servers":["ORIGIN"]}`)
			}
			_, through := s.client(func(config *client.Config) { config.Server = s.URL + c.server })
			first, err := through.Get(s.URL + c.server)
			require.NoError(t, err)
			require.NoError(t, first.Body.Close())
			require.Equal(t, http.StatusOK, first.StatusCode)
			response, err := through.Post(s.URL+c.path, "application/json", strings.NewReader("{}"))
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			assert.Equal(t, c.status, response.StatusCode)
		})
	}
}
