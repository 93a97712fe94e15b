package client_test

import (
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
)

// A freshConnections closes each connection that was open before the person answered, when the code
// or the call after it arrives there. A server does so when it closes an idle connection at that
// moment.
type freshConnections struct {
	next http.Handler
	mu   sync.Mutex
	used map[string]bool // by the client's address
	old  map[string]bool // those used before the first code came
}

func (f *freshConnections) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	if r.URL.Path == "/token" && f.old == nil {
		f.old = maps.Clone(f.used)
	}
	isOld := f.old[r.RemoteAddr]
	f.used[r.RemoteAddr] = true
	f.mu.Unlock()
	if isOld {
		panic(http.ErrAbortHandler)
	}
	f.next.ServeHTTP(w, r)
}

// TestWaitLeavesNoOldConnection signs in at a server that closes idle connections.
func TestWaitLeavesNoOldConnection(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*client.Config){
		"the server's own transport": func(*client.Config) {},
		"a transport of its own": func(config *client.Config) {
			config.Base = wrapped{config.Base.(*http.Transport)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			env.Server.Config.Handler = &freshConnections{next: env, used: map[string]bool{}}
			_, mcp := env.client(edit)
			response, err := mcp.Post(env.URL+"/mcp", "application/json", strings.NewReader(`{}`))
			require.NoError(t, err)
			defer response.Body.Close()
			assert.Equal(t, http.StatusOK, response.StatusCode)
		})
	}
}

// wrapped hides the type of a transport.
type wrapped struct{ *http.Transport }

// remotes notes the client's address of each request, by its path.
type remotes struct {
	next http.Handler
	mu   sync.Mutex
	seen map[string]string
}

func (r *remotes) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	r.seen[request.URL.Path] = request.RemoteAddr
	r.mu.Unlock()
	r.next.ServeHTTP(w, request)
}

// TestSignInPreparesOnOneConnection signs in at a server that is its own authorization server.
func TestSignInPreparesOnOneConnection(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	noted := &remotes{next: env, seen: map[string]string{}}
	env.Server.Config.Handler = noted
	_, mcp := env.client(func(*client.Config) {})
	response, err := mcp.Post(env.URL+"/mcp", "application/json", strings.NewReader(`{}`))
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)

	noted.mu.Lock()
	defer noted.mu.Unlock()
	registration := noted.seen["/register"]
	require.NotEmpty(t, registration)
	assert.Equal(t, noted.seen["/.well-known/oauth-authorization-server"], registration)
	assert.Equal(t, noted.seen["/.well-known/oauth-protected-resource/mcp"], registration)
	assert.NotEqual(t, noted.seen["/token"], registration, "an old connection may break under a code")
}
