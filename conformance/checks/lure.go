package checks

import (
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"mcpentra/conformance/engine"
)

// A lure is a server on this machine that nobody has a reason to call but a server under test that believes an address in a token. A server on
// another machine cannot reach it; what it makes of the token shows all the same.
type lure struct {
	URL    string // without a slash at the end
	hits   atomic.Int64
	server *http.Server
}

// newLure starts a lure that answers everything with a document.
func newLure(document string) (*lure, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, &engine.CannotJudge{Reason: "no lure can be put out", Err: err}
	}
	l := &lure{URL: "http://" + listener.Addr().String()}
	l.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		l.hits.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(document))
	})}
	go func() { _ = l.server.Serve(listener) }()
	return l, nil
}

func (l *lure) Close() { _ = l.server.Close() }
