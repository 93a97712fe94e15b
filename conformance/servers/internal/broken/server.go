package broken

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mcpentra/conformance/loopback"
	"mcpentra/conformance/servers/internal/bench"
)

// A Server is a small MCP server with its own issuer, for clients of all revisions. Without faults
// it follows every rule that has a check.
type Server struct {
	URL string // of the MCP endpoint

	server  *httptest.Server
	network net.Listener // a second listener of a broken server, or nil
	faults  []Fault
	key     *ecdsa.PrivateKey
	origin  string

	mu         sync.Mutex
	runs       map[string]int // of the tool, by marker
	lastMarker string         // of the last run
	sessions   map[string]*session
	handles    map[string]string // the owners by handle
	rounds     map[string]*round // by state
	tasks      map[string]*task
	streams    map[chan event]string // the owners by stream
	events     []event               // for clients that resume
	lastEvent  int
	seen       map[string]int // how often a token was good, by its key in the cache
	revoked    map[string]bool
	challenges int
	refused    atomic.Int64 // malformed and badly signed tokens
	// connections are open.
	connections atomic.Int64
	left        sync.Map          // IDs of sessions that a caller has left early
	forwarded   []bench.Forwarded // to the upstream
	log         strings.Builder
	done        chan struct{}
	legacy      chan struct{} // messages for a stream of 2024-11-05

	clients   registeredClients
	issuer    issuer
	cache     keyCache
	transport *http.Transport // to the issuer
}

// Start starts a server on loopback. It panics on failure, as net/http/httptest does.
func Start(faults ...Fault) *Server {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	s := &Server{
		faults:   faults,
		key:      key,
		runs:     map[string]int{},
		sessions: map[string]*session{},
		handles:  map[string]string{},
		rounds:   map[string]*round{},
		tasks:    map[string]*task{},
		streams:  map[chan event]string{},
		seen:     map[string]int{},
		revoked:  map[string]bool{},
		done:     make(chan struct{}),
		legacy:   make(chan struct{}, 1),
		// The server closes an unused connection after headLimit, and net/http does not repeat the
		// first request of a connection. So each request gets a new one.
		transport: &http.Transport{DialContext: loopback.Dial, DisableKeepAlives: true},
	}
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.server.Config.ConnContext = withConnection
	if s.has(AnswersPingsSlowly) {
		s.server.Config.ConnContext = withShortBuffer
	}
	if s.has(RefusesManyConnections) {
		s.server.Config.ConnState = s.countConnection
	}
	// A server that closes idle connections quickly never has many on a busy machine.
	if !s.has(WaitsForSlowRequests) && !s.has(RefusesManyConnections) {
		s.server.Config.ReadHeaderTimeout = headLimit
	}
	if rewrite := s.rewrites(); rewrite != nil {
		s.server.Listener = &rewriter{Listener: s.server.Listener, rewrite: rewrite}
	} else {
		s.server.Config.Protocols = &http.Protocols{}
		s.server.Config.Protocols.SetHTTP1(true)
		s.server.Config.Protocols.SetUnencryptedHTTP2(true)
	}
	s.server.Start()
	if s.has(ListensOnNetwork) {
		s.listenOnNetwork()
	}
	s.origin = s.server.URL
	s.URL = s.origin + "/mcp"
	return s
}

// Close stops the server, and ends its open streams.
func (s *Server) Close() {
	close(s.done)
	s.transport.CloseIdleConnections()
	if s.network != nil {
		_ = s.network.Close()
	}
	s.server.CloseClientConnections()
	s.server.Close()
}

// headLimit bounds the time for the head of a request. It is shorter than patience, the time that
// checks wait.
const (
	headLimit = 7 * time.Second
	patience  = 12 * time.Second
)

// Target returns the server as a target that supplies everything. A server with keys of its own has
// no tokens to supply.
func (s *Server) Target() bench.Target {
	if s.has(AsksForKey) {
		return bench.Target{URL: s.URL}
	}
	good := func(context.Context) (string, error) { return s.goodToken() }
	target := bench.Target{
		URL:         s.URL,
		FirstAnswer: 30 * time.Second, // for busy machines
		Patience:    patience,
		Tokens:      map[bench.TokenKind]func(context.Context) (string, error){bench.Good: good},
		Mint:        bench.Remint(s.signingKey().Key, good),
		Canary:      &bench.Canary{Tool: toolName, Ran: s.ran},
		Fixture:     s.fixture,
		Forwarded:   s.forwardedRequests,
		Handles:     &bench.Handles{Make: makeTool, Use: useTool},
		Rounds: &bench.Rounds{
			Tool: askTool,
			Answers: map[string]any{
				"name": map[string]any{"action": "accept"},
				"page": map[string]any{"action": "accept"},
			},
			Once:   true,
			Expire: s.expireRound,
		},
		TaskTool: taskTool,
		Whoami:   &bench.Whoami{Tool: whoamiTool, Caller: nameIn},
		Local:    []string{networkAddress},
		Log: func() string {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.log.String()
		},
	}
	for kind, edits := range otherKinds(s.origin) {
		target.Tokens[kind] = func(ctx context.Context) (string, error) { return target.Mint(ctx, edits) }
	}
	target.Tokens[bench.Revoked] = func(ctx context.Context) (string, error) {
		token, err := s.goodToken()
		s.revoke(token)
		return token, err
	}
	for kind, change := range flaws {
		target.Tokens[kind] = func(ctx context.Context) (string, error) {
			return target.Mint(ctx, bench.Edits{Claims: change})
		}
	}
	return target
}

// A boundedAnswer gives its caller answerLimit to read the answer. The time starts with the first
// byte, so a busy machine may take longer to reach it.
type boundedAnswer struct {
	http.ResponseWriter
	begun bool
}

func (a *boundedAnswer) Write(text []byte) (int, error) {
	if !a.begun {
		a.begun = true
		_ = http.NewResponseController(a.ResponseWriter).SetWriteDeadline(time.Now().Add(answerLimit))
	}
	return a.ResponseWriter.Write(text)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *boundedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// hasAuthorization reports whether the server has authorization in the sense of MCP.
func (s *Server) hasAuthorization() bool { return !s.has(AsksForNothing) && !s.has(AsksForKey) }

func (s *Server) has(fault Fault) bool { return slices.Contains(s.faults, fault) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	if r.Method != http.MethodGet && !s.has(WaitsForReaders) { // a stream lasts longer
		w = &boundedAnswer{ResponseWriter: w}
	}
	if s.connections.Load() > manyConnections {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if s.has(EndsWhenCallersLeave) && !s.survives(r) {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if s.has(LogsAddresses) {
		s.logf("%s %s", r.Method, r.URL)
	}
	if s.allowPages(w, r) || s.serveElsewhere(w, r) {
		return
	}
	isDocument := strings.HasPrefix(r.URL.Path, "/.well-known/")
	isOAuth := isDocument || slices.Contains([]string{"/register", "/authorize", "/token"}, r.URL.Path)
	if s.has(KnowsNoDefaults) && isOAuth || !s.hasAuthorization() && isDocument {
		http.NotFound(w, r)
		return
	}
	switch r.URL.Path {
	case "/mcp":
		s.serveEndpoint(w, r)
	case "/.well-known/oauth-protected-resource/mcp":
		if s.has(HasNoMetadata) || s.has(HasMetadataElsewhere) || s.has(IsItsOrigin) {
			http.NotFound(w, r)
			return
		}
		s.serveResource(w, r)
	case "/.well-known/oauth-protected-resource":
		if !s.has(IsItsOrigin) {
			http.NotFound(w, r)
			return
		}
		s.serveResource(w, r)
	case "/register":
		s.serveRegistration(w, r)
	case "/authorize":
		s.serveAuthorization(w, r)
	case "/token":
		s.serveToken(w, r)
	case "/upstream":
		s.serveUpstream(w, r)
	case "/keys":
		s.serveKeys(w, r)
	case "/discovery":
		s.serveDocument(w, r)
	case "/elsewhere":
		s.serveResource(w, r)
	case "/.well-known/oauth-authorization-server/mcp":
		if s.has(HasNoIssuerMetadata) || s.has(HasOpenIDMetadataOnly) {
			http.NotFound(w, r)
			return
		}
		s.serveIssuer(w)
	case "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration":
		if s.has(HasMetadataBelowPath) && strings.HasSuffix(r.URL.Path, "server") {
			http.NotFound(w, r)
			return
		}
		if s.has(HasNoIssuerMetadata) || s.has(HasOpenIDMetadataOnly) && strings.HasSuffix(r.URL.Path, "server") {
			http.NotFound(w, r)
			return
		}
		s.serveIssuer(w)
	default:
		if s.has(DescribesAnything) && strings.HasPrefix(r.URL.Path, "/.well-known/oauth-protected-resource/") {
			s.serveResource(w, r)
			return
		}
		if s.has(GuardsOnePathOnly) && strings.EqualFold(path.Clean(r.URL.Path), "/mcp") {
			s.servePost(w, r, claims{})
			return
		}
		http.NotFound(w, r)
	}
}

func write(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}
