package attack

import (
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"mcpentra/conformance/check"
)

// A trap is a server on this machine that nobody has a reason to call but a server under test that
// believes an address in a token. A server on another machine cannot reach it; what it makes of the
// token shows all the same.
type trap struct {
	URL    string // without a slash at the end
	Hits   atomic.Int64
	server *http.Server
}

// NewTrap starts a trap that answers everything with a document.
func NewTrap(document string) (*trap, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, &check.CannotJudge{Reason: "no lure can be put out", Err: err}
	}
	l := &trap{URL: "http://" + listener.Addr().String()}
	l.server = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			l.Hits.Add(1)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(document))
		}),
	}
	go func() { _ = l.server.Serve(listener) }()
	return l, nil
}

func (l *trap) Close() { _ = l.server.Close() }
