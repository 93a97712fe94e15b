package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"mcpentra/server/clientip"
	"mcpentra/server/entra"
	"mcpentra/server/guard"
	"mcpentra/server/identity"
)

// A Server is an http.Handler for everything at PublicURL. It is safe for concurrent use and starts
// no goroutine; see Watch and Maintain.
type Server struct {
	mux        *http.ServeMux
	mode       mode
	log        *slog.Logger
	resource   string
	path       string // of the endpoint, "" for the root
	endpoint   http.Handler
	usage      *guard.Usage
	name       string
	registers  bool // clients can register themselves
	proxies    clientip.Proxies
	ready      atomic.Bool
	warnOrigin sync.Once // warns of a client that uses the origin as the endpoint
}

// A mode decides whose tokens a server accepts.
type mode interface {
	// issuers are the authorization servers that clients get their tokens from.
	issuers() []string
	// scopePrefix is the text before each scope in a client's request for a token.
	scopePrefix() string
	// verify is the guard's Verify.
	verify(ctx context.Context, raw string) (*identity.Caller, error)
	graphToken(ctx context.Context, caller *identity.Caller) (string, error)
	me(ctx context.Context, graphToken string) (*entra.Profile, error)
	// challenged learns of a claims challenge with which Graph refused a caller's token.
	challenged(ctx context.Context, caller *identity.Caller, claims string) error
	check(ctx context.Context) error
	// maintain does background work until the context ends.
	maintain(ctx context.Context) error
	// mount adds the mode's own endpoints.
	mount(mux *http.ServeMux)
	// tokenKey is the context key under which the mode finds the caller's token; nil if it needs
	// no token.
	tokenKey() any
}

// New wires a server. It does not ask Entra anything. The error is an *entra.ConfigError, which
// names a key of .env, if the registration is wrong, and a *ConfigError if another field is.
func New(ctx context.Context, config Config) (*Server, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		mux:       http.NewServeMux(),
		log:       config.Logger,
		resource:  config.resource(),
		path:      config.Path,
		usage:     guard.NewUsage(config.Limits),
		name:      config.Name,
		registers: config.Direct == nil,
		proxies:   config.TrustedProxies,
	}
	if config.Direct != nil {
		s.mode, err = newDirectMode(config)
	} else {
		s.mode, err = newBrokerMode(ctx, config)
	}
	if err != nil {
		return nil, err
	}
	if err := s.mountEndpoint(config); err != nil {
		return nil, err
	}
	s.mode.mount(s.mux)
	s.mux.HandleFunc(wellKnown+"/", handleNoMetadata)
	s.mux.HandleFunc("GET /healthz", s.handleHealth)
	s.mux.HandleFunc("GET /readyz", s.handleReady)
	s.mux.HandleFunc("/{$}", s.handleOrigin)
	return s, nil
}

// ServeHTTP answers every request at the public URL.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == s.path && s.path != "" {
		s.endpoint.ServeHTTP(w, r) // as the mux does, without its search: almost all requests are for it
		return
	}
	s.mux.ServeHTTP(w, r)
}

// Resource returns the URL of the MCP endpoint.
func (s *Server) Resource() string { return s.resource }

// GraphToken returns a Graph token that speaks for the caller of a request to the endpoint, with
// the permissions of the approved scopes. It is for handlers given as Config.MCP. In direct mode
// the server gets the token on behalf of the caller.
func (s *Server) GraphToken(ctx context.Context) (string, error) {
	caller, known := guard.FromContext(ctx)
	if !known {
		return "", errors.New("server: the request did not come through the guard")
	}
	return s.mode.graphToken(ctx, caller)
}

// Challenge tells the server that Graph refused the token of a handler's caller with a claims
// challenge, a JSON object. In broker mode the caller's grant ends, and the person meets the
// challenge in the next sign-in. In direct mode it does nothing.
func (s *Server) Challenge(ctx context.Context, claims string) error {
	caller, known := guard.FromContext(ctx)
	if !known {
		return errors.New("server: the request did not come through the guard")
	}
	return s.mode.challenged(ctx, caller, claims)
}
