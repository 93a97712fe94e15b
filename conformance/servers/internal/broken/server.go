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

// A Server is a small MCP server with an issuer of its own, for clients of all revisions. Without
// faults it keeps every rule that there is a check for.
type Server struct {
	URL string // of the MCP endpoint

	server *httptest.Server
	beside net.Listener // of a broken server, or nil
	faults []Fault
	key    *ecdsa.PrivateKey
	origin string

	mu         sync.Mutex
	runs       map[string]int // of the tool, by marker
	before     string         // the marker of the last run
	sessions   map[string]*session
	handles    map[string]string // whose they are
	rounds     map[string]*round // by their state
	tasks      map[string]*task
	streams    map[chan string]string // whose they are
	seen       map[string]int         // how often a payload was good
	challenges int
	refused    atomic.Int64      // tokens that are not well formed or badly signed
	forwarded  []bench.Forwarded // to the upstream
	log        strings.Builder
	done       chan struct{}

	clients   registeredClients
	issuer    issuer
	cache     keyCache
	transport *http.Transport // to the issuer
}

// Start starts a server on loopback. It panics when it cannot, as net/http/httptest does.
func Start(faults ...Fault) *Server {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	t := &Server{
		faults:    faults,
		key:       key,
		runs:      map[string]int{},
		sessions:  map[string]*session{},
		handles:   map[string]string{},
		rounds:    map[string]*round{},
		tasks:     map[string]*task{},
		streams:   map[chan string]string{},
		seen:      map[string]int{},
		done:      make(chan struct{}),
		transport: &http.Transport{DialContext: loopback.Dial},
	}
	t.server = httptest.NewUnstartedServer(http.HandlerFunc(t.serve))
	t.server.Config.ConnContext = withConnection
	if !t.has(WaitsForEver) {
		t.server.Config.ReadHeaderTimeout = headLimit
	}
	if rewrite := t.rewrites(); rewrite != nil {
		t.server.Listener = &rewriter{Listener: t.server.Listener, rewrite: rewrite}
	} else {
		t.server.Config.Protocols = &http.Protocols{}
		t.server.Config.Protocols.SetHTTP1(true)
		t.server.Config.Protocols.SetUnencryptedHTTP2(true)
	}
	t.server.Start()
	if t.has(ListensBeside) {
		t.listenBeside()
	}
	t.origin = t.server.URL
	t.URL = t.origin + "/mcp"
	return t
}

// Close ends the server, and the streams that are under way.
func (t *Server) Close() {
	close(t.done)
	t.transport.CloseIdleConnections()
	if t.beside != nil {
		_ = t.beside.Close()
	}
	t.server.CloseClientConnections()
	t.server.Close()
}

// headLimit is how long the head of a request may take, and patience how long a check has to wait.
const (
	headLimit = 3 * time.Second
	patience  = 12 * time.Second
)

// Target is the server as a target that hands over everything: tokens of every kind, its key, and a
// tool that counts.
func (t *Server) Target() bench.Target {
	good := func(context.Context) (string, error) { return t.good() }
	target := bench.Target{
		URL:       t.URL,
		Patience:  patience,
		Tokens:    map[bench.TokenKind]func(context.Context) (string, error){bench.Good: good},
		Mint:      bench.Remint(t.key, good),
		Canary:    &bench.Canary{Tool: toolName, Ran: t.ran},
		Fixture:   t.fixture,
		Forwarded: t.sentOn,
		Handles:   &bench.Handles{Make: makeTool, Use: useTool},
		Rounds: &bench.Rounds{
			Tool: askTool,
			Answers: map[string]any{
				"name": map[string]any{"action": "accept"},
				"page": map[string]any{"action": "accept"},
			},
			Once:   true,
			Expire: t.expireRound,
		},
		TaskTool: taskTool,
		Whoami:   &bench.Whoami{Tool: whoamiTool, Caller: nameIn},
		Local:    []string{besideLoopback},
		Log: func() string {
			t.mu.Lock()
			defer t.mu.Unlock()
			return t.log.String()
		},
	}
	for kind, change := range flaws {
		target.Tokens[kind] = func(ctx context.Context) (string, error) {
			return target.Mint(ctx, bench.Edits{Claims: change})
		}
	}
	return target
}

// boundedAnswer gives its caller answerLimit to read the answer. The time starts with the first
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

func (t *Server) has(fault Fault) bool { return slices.Contains(t.faults, fault) }

func (t *Server) serve(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	if r.Method != http.MethodGet && !t.has(WaitsForReaders) { // a GET stream lasts longer
		w = &boundedAnswer{ResponseWriter: w}
	}
	if t.openToPages(w, r) {
		return
	}
	switch r.URL.Path {
	case "/mcp":
		t.serveEndpoint(w, r)
	case "/.well-known/oauth-protected-resource/mcp":
		if t.has(HasNoMetadata) || t.has(HasMetadataElsewhere) {
			http.NotFound(w, r)
			return
		}
		t.serveResource(w, r)
	case "/register":
		t.serveRegistration(w, r)
	case "/authorize":
		t.serveAuthorization(w, r)
	case "/token":
		t.serveToken(w, r)
	case "/upstream":
		t.serveUpstream(w, r)
	case "/keys":
		t.serveKeys(w, r)
	case "/discovery":
		t.serveDocument(w, r)
	case "/elsewhere":
		t.serveResource(w, r)
	case "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration":
		if t.has(HasNoIssuerMetadata) || t.has(HasOpenIDMetadataOnly) && strings.HasSuffix(r.URL.Path, "server") {
			http.NotFound(w, r)
			return
		}
		t.serveIssuer(w)
	default:
		if t.has(DescribesAnything) && strings.HasPrefix(r.URL.Path, "/.well-known/oauth-protected-resource/") {
			t.serveResource(w, r)
			return
		}
		if t.has(GuardsOnePathOnly) && strings.EqualFold(path.Clean(r.URL.Path), "/mcp") {
			t.servePost(w, r, claims{})
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
