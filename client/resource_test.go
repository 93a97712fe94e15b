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

func TestTokenStaysAtItsPath(t *testing.T) {
	t.Parallel()
	for _, location := range []string{
		"/team-b", "/mcp2", "/mcpx/more", "/MCP", "/", "/mcp/../team-b", "/mcp/%2e%2e/team-b", "/mcp/%2E./team-b",
		"/mcp/..%2fteam-b", "/mcp/%252e%252e/team-b", "/mcp/..;/team-b", "/mcp/..%5cteam-b", "/%6dcp/../team-b",
		"/mcp%2f..%2fteam-b", "//mcp",
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			t.Run(fmt.Sprint(status, " ", location), func(t *testing.T) {
				t.Parallel()
				env := newEnv(t)
				env.mcp = func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Location", env.URL+location)
					w.WriteHeader(status)
				}
				_, through := env.client(nil)
				response, err := through.Post(env.URL+"/mcp", "application/json", strings.NewReader("{}"))
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
				assert.Equal(t, http.StatusUnauthorized, response.StatusCode, "the other path gets no token")
				assert.Empty(t, env.withToken())
				assert.Len(t, env.pages(), 1, "the other path starts no sign-in")
			})
		}
	}
}

func TestTokenFollowsItsResource(t *testing.T) {
	t.Parallel()
	root := `{"resource":"ORIGIN","authorization_servers":["ORIGIN"]}`
	for _, c := range []struct {
		name, location, root string
		noResource           bool
		follows              bool
	}{
		{name: "a slash at the end", location: "/mcp/", follows: true},
		{name: "a path below", location: "/mcp/v2", follows: true},
		{name: "a query", location: "/mcp?a=b", follows: true},
		{name: "the whole origin", location: "/team-b", root: root, follows: true},
		{name: "the whole origin, with dots", location: "/mcp/%2e%2e/team-b", root: root, follows: true},
		{name: "a resource that was not requested", location: "/team-b", root: root, noResource: true},
		{name: "a path below, no resource", location: "/mcp/v2", noResource: true, follows: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newRedirecting(t, http.StatusTemporaryRedirect, c.location)
			if c.root != "" {
				env.challenge = "Bearer"
				env.replace["/.well-known/oauth-protected-resource/mcp"] = http.NotFound
				env.replace["/.well-known/oauth-protected-resource"] = func(w http.ResponseWriter, _ *http.Request) {
					env.json(w, 200, c.root)
				}
			}
			_, through := env.client(func(config *client.Config) { config.Entra.NoResource = c.noResource })
			code, _ := post(t, through, env.URL+"/mcp", "{}")
			want := http.StatusUnauthorized
			if c.follows {
				want = http.StatusOK
			}
			assert.Equal(t, want, code)
			assert.Len(t, env.pages(), 1)
		})
	}
}

// TestRedirectDropsCallersAuthorization: the caller sets a header of its own, which a redirect
// would repeat.
func TestRedirectDropsCallersAuthorization(t *testing.T) {
	t.Parallel()
	env := newRedirecting(t, http.StatusTemporaryRedirect, "/team-b")
	_, through := env.client(nil)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, env.URL+"/mcp", strings.NewReader("{}"))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer secret-of-another-server")
	response, err := through.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Empty(t, env.withToken())
	assert.Equal(t, "Bearer secret-of-another-server", request.Header.Get("Authorization"))
}

func TestOtherPathStartsNoSignIn(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	_, through := env.client(nil)
	response, err := through.Get(env.URL + "/elsewhere")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
	assert.Empty(t, env.pages())
}

// TestTokenGoesToRequestedNeighbours: a server of MCP 2024-11-05 names another path for the
// client's messages.
func TestTokenGoesToRequestedNeighbours(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, server, path string
		status             int
	}{
		{"messages beside the stream", "/team-a/sse", "/team-a/messages", http.StatusOK},
		{"messages below", "/team-a/sse", "/team-a/sse/messages", http.StatusOK},
		{"beside a server at the root", "/sse", "/messages", http.StatusOK},
		{"another server", "/team-a/sse", "/team-b/messages", http.StatusUnauthorized},
		{"another server with the same letters", "/team-a/sse", "/team-ab/messages", http.StatusUnauthorized},
		{"another server, by dots", "/team-a/sse", "/team-a/../team-b", http.StatusUnauthorized},
		{"another server, by encoded dots", "/team-a/sse", "/team-a/%2e%2e/team-b", http.StatusUnauthorized},
		{"the root of several servers", "/team-a/sse", "/", http.StatusUnauthorized},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			env.replace["/.well-known/oauth-protected-resource/mcp"] = func(w http.ResponseWriter, _ *http.Request) {
				env.json(w, http.StatusOK, `{"resource":"ORIGIN`+c.server+`","authorization_servers":["ORIGIN"]}`)
			}
			_, through := env.client(func(config *client.Config) { config.Server = env.URL + c.server })
			first, err := through.Get(env.URL + c.server)
			require.NoError(t, err)
			require.NoError(t, first.Body.Close())
			require.Equal(t, http.StatusOK, first.StatusCode)
			response, err := through.Post(env.URL+c.path, "application/json", strings.NewReader("{}"))
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			assert.Equal(t, c.status, response.StatusCode)
		})
	}
}
