package lab

import (
	"bytes"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"mcpentra/conformance/check"
)

// A Lab is one environment, on its own loopback ports. Close ends it.
type Lab struct {
	script Script
	ledger *ledger
	ca     *authority // nil without TLS

	starting sync.Mutex // guards servers and closed
	servers  map[Party]*httptest.Server
	closed   bool

	mu        sync.Mutex // guards the fields below
	record    []*Request
	toolCalls int
	stepUps   int // refusals with insufficient_scope
	polls     int // for the token of a device code
	opened    []string
	replies   []Reply
	connected bool // an early answer reached a listener at the redirect URI
	documents bool // the authorization servers accept client ID metadata documents
	// deliveries counts the answers that a redirect URI has not replied to yet. delivered is closed
	// when the count is 0.
	deliveries    int
	delivered     chan struct{}
	output        bytes.Buffer
	err           error        // of the last run
	runErr        func() error // of the last run's context
	sessions      int
	endedSessions map[string]bool
	recorded      bool // as evidence of the check
}

// Bounds. The first three are in bytes: a request's body, the client's output, and a reply of the
// redirect URI. The last is the number of requests in a record.
const (
	maxBody   = 256 << 10
	maxOutput = 1 << 20
	maxReply  = 64 << 10
	maxRecord = 5000
)

// RunTimeout bounds a run if the target sets no timeout.
const RunTimeout = 10 * time.Second

// New makes a lab.
func New(script Script) *Lab {
	if script.Revision == "" {
		script.Revision = check.R20251125
	}
	if script.Path == "" {
		script.Path = "/mcp"
	}
	if script.Public {
		script.TLS = true
	}
	l := &Lab{
		script:        script,
		servers:       map[Party]*httptest.Server{},
		ledger:        newLedger(),
		endedSessions: map[string]bool{},
	}
	if script.Share != nil {
		l.ledger = script.Share.ledger
	}
	if script.TLS {
		l.ca = newAuthority()
	}
	return l
}

// server returns a party's server, and starts it at the first call. It panics when it cannot listen
// on loopback, as net/http/httptest does.
func (l *Lab) server(party Party) *httptest.Server {
	l.starting.Lock()
	defer l.starting.Unlock()
	if server := l.servers[party]; server != nil {
		return server
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.serve(party, w, r)
	}))
	if party == opener {
		server.Config.Handler = http.HandlerFunc(l.serveOpener)
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ReadHeaderTimeout = RunTimeout
	if l.script.TLS && party != Proxy && party != opener {
		server.TLS = l.ca.config(l.script.Flaws[party])
		server.StartTLS()
	} else {
		server.Start()
	}
	if l.closed {
		server.Close() // the caller needs only its address
	}
	l.servers[party] = server
	return server
}

// Close ends the lab and the requests in it. The record stays.
func (l *Lab) Close() {
	// A server closes after its handlers have returned, and a handler may ask for another party's
	// origin. So Close releases the lock first. A party that starts later is closed at once.
	l.starting.Lock()
	l.closed = true
	servers := slices.Collect(maps.Values(l.servers))
	l.starting.Unlock()
	for _, server := range servers {
		server.CloseClientConnections()
		server.Close()
	}
}

// Origin returns the origin of a party, as the client sees it.
func (l *Lab) Origin(party Party) string {
	origin := l.server(party).URL
	if name, named := publicNames[party]; named && l.script.Public {
		return "https://" + name
	}
	if l.script.Host != "" {
		origin = strings.Replace(origin, "127.0.0.1", l.script.Host, 1)
	}
	return origin
}

// URL returns the URL of the MCP endpoint.
func (l *Lab) URL() string { return l.Origin(Server) + l.script.Path }

// Authority returns the party that the MCP server names as its authorization server.
func (l *Lab) Authority() Party {
	if l.isOwnIssuer() {
		return Server
	}
	return Issuer
}

// IssuerID returns the issuer of an authorization server.
func (l *Lab) IssuerID(party Party) string {
	if l.script.Share != nil && party == Issuer {
		return l.script.Share.IssuerID(Issuer)
	}
	if party == Server {
		return l.Origin(Server)
	}
	return l.Origin(party) + l.script.IssuerPath
}

// isOwnIssuer reports whether the MCP server is its own authorization server, as in MCP 2025-03-26.
func (l *Lab) isOwnIssuer() bool { return l.script.Revision == check.R20250326 }

// Expire ends the validity of every access token that was issued so far.
func (l *Lab) Expire() { l.ledger.expire() }
