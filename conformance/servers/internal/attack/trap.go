package attack

import (
	"crypto/rand"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"mcpentra/conformance/check"
)

// A Trap is a server on this machine that only a server under test calls, if it trusts an address
// in a token. A server on another machine cannot reach the trap; then only its answer to the token
// counts.
type Trap struct {
	URL    string // with a path that cannot be guessed, and without a slash at the end
	Hits   atomic.Int64
	server *http.Server
}

// NewTrap starts a trap that answers every request with a document. The caller closes it.
func NewTrap(document string) (*Trap, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, &check.CannotJudge{Reason: "no trap can be started", Err: err}
	}
	// Other programs may still call the port's last owner. They do not know the name.
	name := rand.Text()
	trap := &Trap{URL: "http://" + listener.Addr().String() + "/" + name}
	trap.server = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.URL.Path, name) {
				http.NotFound(w, r)
				return
			}
			trap.Hits.Add(1)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(document))
		}),
	}
	go func() { _ = trap.server.Serve(listener) }()
	return trap, nil
}

// Close stops the trap.
func (t *Trap) Close() { _ = t.server.Close() }
