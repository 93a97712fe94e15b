package server

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mcpentra/server/broker"
	"mcpentra/server/clientip"
	"mcpentra/server/entra"
	"mcpentra/server/guard"
	"mcpentra/server/identity"
	"mcpentra/server/loopback"
	"mcpentra/server/store"
)

// A Config says what a server is. PublicURL and Entra's TenantID and ClientID are required, and in
// broker mode ClientSecret.
type Config struct {
	// PublicURL is the origin that clients and browsers reach the server at, such as
	// https://mcp.example.com. Plain http is for loopback only.
	PublicURL string
	// Path of the MCP endpoint. Empty means /mcp. "/" means the origin itself, where browsers still
	// get the front page.
	Path string
	// Name is what people and clients are told the server is called. Empty means the host of
	// PublicURL.
	Name string
	// Entra is the app registration: in broker mode the one that signs people in, in direct mode
	// the API that tokens are for. Its RedirectURI may be left empty: it follows from PublicURL.
	// HTTPClient, Now and Logger are taken from here where it has none.
	Entra entra.Config
	// Direct makes the server take Entra's own tokens and issue none. Nil means broker mode: the
	// server is the authorization server of its clients.
	Direct *Direct
	// MCP is the handler behind the guard. It finds the caller with guard.FromContext and never
	// sees a token. Nil means the reference server's tools, or the upstream.
	MCP http.Handler
	// Upstream is the URL of another MCP server to stand in front of, in place of MCP. See package
	// upstream for what it gets to know of callers; the key to believe it is served at
	// CallerKeysPath.
	Upstream string
	// UpstreamHeaders are names of headers that pass to and from the upstream, besides the usual
	// ones (upstream.Config).
	UpstreamHeaders []string
	// UpstreamQuery are names of query parameters of callers that reach the upstream. Nil means
	// that none does.
	UpstreamQuery []string
	// Stateful says that the handler keeps sessions for clients of the revisions before 2026-07-28:
	// requests that belong to none are refused, and the reference server's tools keep them.
	// Sessions are bound to their caller either way.
	Stateful bool
	// LegacySSE serves the reference server's tools at SSEPath as well, over the HTTP+SSE transport
	// of MCP 2024-11-05.
	LegacySSE bool
	// Scopes are what clients can ask for; the first is what every request to the endpoint needs.
	// In direct mode they are the scopes that the API exposes. Nil means broker.DefaultScopes, and
	// in direct mode DirectScopes.
	Scopes []broker.Scope
	// AllowedOrigins are the origins of web pages that may call the endpoint, besides the server's
	// own.
	AllowedOrigins []string
	// TrustedProxies are the reverse proxies whose X-Forwarded-For is believed. Nil believes none:
	// the peer of a connection is then the client.
	TrustedProxies clientip.Proxies
	// MaxBody bounds a request to the endpoint in bytes. Zero means guard.DefaultMaxBody.
	MaxBody int64
	// BodyTimeout is how long a caller may take to send a body. Zero means
	// guard.DefaultBodyTimeout.
	BodyTimeout time.Duration
	// AnswerTimeout is how long a caller may take to read each piece of an answer. Zero means
	// guard.DefaultAnswerTimeout.
	AnswerTimeout time.Duration
	// MaxCall is how long a call may run. Zero means guard.DefaultMaxCall; negative means no bound.
	MaxCall time.Duration
	// Limits bound what a caller, and all callers together, have at once at the endpoint and at
	// SSEPath.
	Limits guard.Limits
	// Store remembers clients and grants. Nil means memory.
	Store store.Store
	// Keys encrypt what is stored, mark sessions, and sign what the upstream is told. Nil means
	// keys made at the start; a store that outlives the process, and several replicas, need keys
	// that do.
	Keys *broker.Keys
	// SigningKey signs access tokens; a P-256 key. Nil means one that is made once and kept,
	// encrypted, in the store.
	SigningKey *ecdsa.PrivateKey
	// RegistrationsPerMinute bounds the registrations that clients of one network (/24 of IPv4, /48
	// of IPv6) can make, and also the sign-ins that they can begin. Zero means 120; negative means
	// no bound.
	RegistrationsPerMinute int
	// Version is what the reference server's tools report. Empty means "0".
	Version string
	// HTTPClient talks to Entra and Graph. Nil means one with timeouts of its own.
	HTTPClient *http.Client
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Rand is the source of randomness. Nil means crypto/rand.
	Rand io.Reader
	// Logger hears of sign-ins, refusals and failures, never of a token, code or secret. Nil
	// discards.
	Logger *slog.Logger
}

// A Server is an http.Handler for everything at PublicURL. It is safe for concurrent use and starts
// no goroutine; see Watch.
type Server struct {
	mux       *http.ServeMux
	mode      mode
	log       *slog.Logger
	resource  string
	path      string // of the endpoint, "" for the root
	endpoint  http.Handler
	usage     *guard.Usage
	name      string
	registers bool // clients can register themselves
	proxies   clientip.Proxies
	ready     atomic.Bool
	misplaced sync.Once // the log was told that a client takes the origin for the endpoint
}

// A mode is whose tokens a server takes.
type mode interface {
	// issuers are where clients get their tokens.
	issuers() []string
	// scopePrefix stands before scopes where clients ask for them.
	scopePrefix() string
	verify(ctx context.Context, raw string) (*identity.Caller, error)
	graphToken(ctx context.Context, caller *identity.Caller) (string, error)
	me(ctx context.Context, graphToken string) (*entra.Profile, error)
	check(ctx context.Context) error
	// mount adds what the mode serves beside the endpoint.
	mount(mux *http.ServeMux)
	// tokenKey is where the mode finds the caller's token in a request's context; nil where it
	// needs none.
	tokenKey() any
}

// ConfigError is a field of Config that cannot work.
type ConfigError struct {
	// Field is the field's name. Problem goes on from it: "is …: write …".
	Field, Problem string
}

func (e *ConfigError) Error() string { return "server: " + e.Field + " " + e.Problem }

// New wires a server. Its error is an *entra.ConfigError, which names a key of .env, where the
// registration is at fault, and a *ConfigError where another field is; it does not ask Entra
// anything.
func New(ctx context.Context, config Config) (*Server, error) {
	public, err := readPublicURL(config.PublicURL)
	if err != nil {
		return nil, err
	}
	path, err := readPath(config.Path)
	if err != nil {
		return nil, err
	}
	if config.Name == "" {
		config.Name = strings.TrimPrefix(strings.TrimPrefix(public, "https://"), "http://")
	}
	s := &Server{
		log:       config.Logger,
		resource:  public + path,
		path:      path,
		name:      config.Name,
		registers: config.Direct == nil,
		proxies:   config.TrustedProxies,
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	config.Logger = s.log
	if config.Keys == nil {
		if config.Keys, err = broker.NewKeys(cmp.Or(config.Rand, rand.Reader)); err != nil {
			return nil, fmt.Errorf("server: %w", err)
		}
	}
	if config.Direct != nil {
		s.mode, err = newDirectMode(&config)
	} else {
		s.mode, err = newBrokerMode(ctx, &config, public, s.resource)
	}
	if err != nil {
		return nil, err
	}
	s.mux = http.NewServeMux()
	if err := s.mountEndpoint(&config, public, path); err != nil {
		return nil, err
	}
	s.mode.mount(s.mux)
	s.mux.HandleFunc(wellKnown+"/", handleNoMetadata)
	s.mux.HandleFunc("GET /healthz", s.handleHealth)
	s.mux.HandleFunc("GET /readyz", s.handleReady)
	s.mux.HandleFunc("/{$}", s.handleOrigin)
	return s, nil
}

var plainHost = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?$`)

// isPort reports whether the port of a URL can be connected to. A URL without one has the port of
// its scheme.
func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && port > 0
}

// readPublicURL wants an origin: https, or http on loopback.
func readPublicURL(text string) (string, error) {
	wrong := func(problem string) (string, error) {
		return "", &ConfigError{"PublicURL", fmt.Sprintf("is %q: %s", withoutSecrets(text), problem)}
	}
	parsed, err := url.Parse(text)
	switch {
	case err != nil || parsed.Host == "" || parsed.Hostname() == "" || parsed.User != nil:
		return wrong("write the public URL's scheme and host, such as https://mcp.example.com")
	case strings.ContainsAny(text, "?#"):
		return wrong("leave out ? or #, and what follows")
	case !isPort(parsed.Port()):
		return wrong("write a port from 1 to 65535, or none for the usual one")
	case !plainHost.MatchString(parsed.Host):
		return wrong("write the host in ASCII, and a name outside ASCII in its IDNA form (xn--…)")
	case strings.Trim(parsed.Path, "/") != "":
		return wrong("a public URL has no path; write " + parsed.Scheme + "://" + parsed.Host + ", and give the " +
			"endpoint's path apart (Path, MCP_PATH)")
	case parsed.Scheme != "https" && !(parsed.Scheme == "http" && loopback.IsHost(parsed.Hostname())):
		return wrong("write https in the public URL, or http on a loopback address")
	}
	public := strings.ToLower(parsed.Scheme + "://" + parsed.Host)
	// Browsers leave the scheme's own port out of Origin, and clients out of what they compare.
	if port := map[string]string{"https": ":443", "http": ":80"}[parsed.Scheme]; strings.HasSuffix(public, port) {
		public = strings.TrimSuffix(public, port)
	}
	return public, nil
}

// withoutSecrets leaves out what may be a password or a key: what stands before the host, and the
// query.
func withoutSecrets(text string) string {
	text, _, _ = strings.Cut(text, "?")
	if at := strings.LastIndex(text, "@"); at >= 0 {
		return "…" + text[at:]
	}
	return text
}

// Deployment names what a store's grants come from: authority, tenant and application. The same
// deployment has the same name however its settings are written. A program can keep a store for
// each.
func Deployment(registration entra.Config) string {
	authority := strings.ToLower(strings.TrimRight(registration.Authority, "/"))
	if authority == "" {
		authority = "login.microsoftonline.com"
	}
	return strings.Join(
		[]string{
			strings.TrimPrefix(authority, "https://"),
			strings.ToLower(registration.TenantID),
			strings.ToLower(registration.ClientID),
		},
		" ",
	)
}

// ServeHTTP answers for everything at the public URL.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == s.path && s.path != "" {
		s.endpoint.ServeHTTP(w, r) // as mux does, without a search: it is what almost all requests are for
		return
	}
	s.mux.ServeHTTP(w, r)
}

// Resource is the URL of the MCP endpoint.
func (s *Server) Resource() string { return s.resource }

// GraphToken is a Graph token of the caller of a request to the endpoint, with the permissions of
// the scopes that were approved. It is for handlers given as Config.MCP. In direct mode it is had
// on behalf of the caller.
func (s *Server) GraphToken(ctx context.Context) (string, error) {
	caller, known := guard.FromContext(ctx)
	if !known {
		return "", errors.New("server: the request did not come through the guard")
	}
	return s.mode.graphToken(ctx, caller)
}
