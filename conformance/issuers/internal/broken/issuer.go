package broken

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"mcpentra/conformance/issuers/internal/bench"
)

// An Issuer is a small authorization server with faults. It issues opaque tokens.
type Issuer struct {
	// URL is the issuer identifier.
	URL string

	faults []Fault
	server *httptest.Server

	races   races
	fetcher *documentFetcher
	cookie  string // name of the session cookie

	elsewhere *elsewhere // nil for a server where people sign in

	mu           sync.Mutex
	offset       time.Duration // of the clock
	clients      map[string]*client
	app          *client                 // calls for itself
	sessions     map[string]string       // users by cookie
	transactions map[string]*transaction // by ID
	approved     []*transaction
	last         map[string]*transaction // the last one of each session
	codes        map[string]*code
	devices      map[string]*device
	refreshes    map[string]*refreshToken
	accesses     map[string]*accessToken
	assertions   map[string]bool // IDs that were used
}

// Resources that tokens can be issued for.
const (
	resource      = "https://mcp.example/mcp"
	otherResource = "https://other.example/mcp"
)

// The one user.
const (
	username = "ada"
	password = "correct horse"
)

// Start starts an authorization server with faults on a free port of 127.0.0.1.
func Start(faults ...Fault) *Issuer { return start("", faults...) }

// start starts a server whose people sign in at an issuer, unless that is empty.
func start(upstream string, faults ...Fault) *Issuer {
	s := &Issuer{
		faults:       faults,
		races:        races{flights: map[string]chan struct{}{}, raced: map[string]bool{}},
		fetcher:      newDocumentFetcher(),
		cookie:       "session",
		clients:      map[string]*client{},
		sessions:     map[string]string{},
		transactions: map[string]*transaction{},
		last:         map[string]*transaction{},
		codes:        map[string]*code{},
		devices:      map[string]*device{},
		refreshes:    map[string]*refreshToken{},
		accesses:     map[string]*accessToken{},
		assertions:   map[string]bool{},
	}
	s.app = &client{id: "app", secret: secret(), method: "client_secret_post"}
	s.clients[s.app.id] = s.app
	s.server = httptest.NewUnstartedServer(s.routes())
	s.startElsewhere(upstream)
	address := s.server.Listener.Addr().String() + "/issuer"
	if s.has(ServesTLS) || s.has(SendsCookiesInClear) {
		s.URL = "https://" + address
		s.server.StartTLS()
		return s
	}
	s.URL = "http://" + address
	s.server.Start()
	return s
}

// Close stops the server.
func (s *Issuer) Close() {
	s.server.Close()
	s.fetcher.server.Close()
	if s.elsewhere != nil && s.elsewhere.provider != nil {
		s.elsewhere.provider.Close()
	}
}

// Target returns the server as a target that supplies everything.
func (s *Issuer) Target() bench.Target {
	target := bench.Target{
		URL:           s.URL,
		FirstAnswer:   30 * time.Second, // for busy machines
		Person:        bench.ScriptedPerson(map[string]string{"username": username, "password": password}),
		App:           &bench.Client{ID: s.app.id, Secret: s.app.secret, Method: s.app.method},
		Resource:      resource,
		OtherResource: otherResource,
		Scopes:        []string{"read", "write"},
		Documents:     s.fetcher.documents,
		Advance: func(passed time.Duration) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.offset += passed
		},
	}
	if s.server.TLS != nil {
		target.HTTPClient = s.server.Client()
	}
	if s.elsewhere != nil {
		target.Upstream = s.elsewhere.provider
		target.Start = s.startBehind
	}
	return target
}

func (s *Issuer) has(fault Fault) bool { return slices.Contains(s.faults, fault) }

// now returns the server's time. The caller holds the lock.
func (s *Issuer) now() time.Time { return time.Now().Add(s.offset) }

func (s *Issuer) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server/issuer", s.serveMetadata)
	mux.HandleFunc("GET /.well-known/openid-configuration/issuer", s.serveOpenIDMetadata)
	mux.HandleFunc("GET /issuer/.well-known/openid-configuration", s.serveOpenIDMetadata)
	mux.HandleFunc("GET /issuer/keys", s.serveKeys)
	mux.HandleFunc("POST /issuer/register", s.locked(s.serveRegistration))
	mux.HandleFunc("GET /issuer/authorize", s.locked(s.serveAuthorize))
	mux.HandleFunc("POST /issuer/signin", s.locked(s.serveSignIn))
	mux.HandleFunc("GET /issuer/consent", s.locked(s.serveConsent))
	mux.HandleFunc("POST /issuer/consent", s.locked(s.serveAnswer))
	mux.HandleFunc("POST /issuer/interaction/{transaction}", s.locked(s.serveInteraction))
	mux.HandleFunc("/issuer/token", s.joinRace(s.locked(s.serveToken)))
	mux.HandleFunc("POST /issuer/device", s.locked(s.serveDevice))
	mux.HandleFunc("GET /issuer/device-code", s.locked(s.serveUserCode))
	mux.HandleFunc("POST /issuer/device-code", s.locked(s.serveUserCode))
	mux.HandleFunc("POST /issuer/introspect", s.locked(s.serveIntrospection))
	mux.HandleFunc("GET /issuer/userinfo", s.locked(s.serveUserinfo))
	mux.HandleFunc("GET /issuer/callback", s.locked(s.serveCallback))
	mux.HandleFunc("POST /issuer/revoke", s.locked(s.serveRevocation))
	return mux
}

// locked makes a handler that has the server's state for itself.
func (s *Issuer) locked(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		next(w, r)
	}
}

// write writes JSON that no cache may store.
func (s *Issuer) write(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

func (s *Issuer) refuse(w http.ResponseWriter, status int, code string) {
	s.write(w, status, map[string]string{"error": code})
}

func secret() string { return rand.Text() + rand.Text() }

// writeJSON writes a value without any header.
func writeJSON(w http.ResponseWriter, value any) { _ = json.NewEncoder(w).Encode(value) }
