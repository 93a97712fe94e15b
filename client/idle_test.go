package client_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
)

// A freshConnections closes each connection on which a request arrives that cannot be repeated and
// is not the first one. A server does so when it closes an idle connection at that moment.
type freshConnections struct {
	next http.Handler
	mu   sync.Mutex
	used map[string]bool // by the client's address
}

func (f *freshConnections) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	isFresh := !f.used[r.RemoteAddr]
	f.used[r.RemoteAddr] = true
	f.mu.Unlock()
	isLate := r.URL.Path == "/token" || strings.Contains(r.Header.Get("Authorization"), "secret-access-1")
	if isLate && !isFresh {
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
