package server

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"mcpentra/server/guard"
	"mcpentra/server/internal/tools"
	"mcpentra/server/upstream"
)

const (
	// CallerKeysPath serves the keys with which an upstream verifies the caller's name.
	CallerKeysPath = "/caller/jwks"
	// SSEPath serves the HTTP+SSE transport, if Config.LegacySSE is set.
	SSEPath = "/sse"
)

// mountEndpoint mounts the MCP endpoint behind its guard, and the HTTP+SSE transport if it is
// wanted.
func (s *Server) mountEndpoint(config Config) error {
	if len(config.Scopes) == 0 {
		return errors.New("server: want at least one scope: every request needs the first")
	}
	handler, err := s.newHandler(config)
	if err != nil {
		return err
	}
	s.endpoint, err = s.mountGuarded(config, s.resource, s.path, handler, config.Stateful)
	if err != nil {
		return err
	}
	if s.path != "" { // handleOrigin serves the endpoint at the root
		s.mux.Handle(s.path, s.endpoint)
		s.mux.Handle(s.path+"/{$}", s.endpoint)
	}
	if config.LegacySSE {
		return s.mountLegacySSE(config)
	}
	return nil
}

func (s *Server) mountLegacySSE(config Config) error {
	messages := SSEPath + tools.MessagePath
	switch {
	case config.MCP != nil || config.Upstream != "":
		return &ConfigError{"LegacySSE", "is for the reference server's tools, and a handler or an upstream " +
			"replaces them"}
	case strings.EqualFold(s.path, SSEPath), strings.EqualFold(s.path, messages):
		return &ConfigError{"Path", "is " + s.path + ", which the HTTP+SSE transport uses: write another path, " +
			"such as /mcp"}
	}
	legacy := tools.LegacySSE(s.toolsConfig(config), SSEPath)
	guarded, err := s.mountGuarded(config, config.PublicURL+SSEPath, SSEPath, legacy, false)
	if err != nil {
		return err
	}
	s.mux.Handle(SSEPath, guarded)
	s.mux.Handle(SSEPath+"/{$}", guarded)
	s.mux.Handle(messages, guarded)
	return nil
}

// mountGuarded puts a handler behind a guard, and mounts the metadata of its resource.
func (s *Server) mountGuarded(
	config Config, resource, path string, handler http.Handler, stateful bool,
) (http.Handler, error) {
	var supported, appRoles []string
	for _, scope := range config.Scopes {
		supported = append(supported, scope.Name)
	}
	if config.Direct != nil {
		appRoles = config.Direct.AppRoles
	}
	guarded, err := guard.New(guard.Config{
		Resource:             resource,
		AuthorizationServers: s.mode.issuers(),
		Scopes:               supported[:1],
		ScopesSupported:      supported,
		ResourceName:         config.Name,
		ScopePrefix:          s.mode.scopePrefix(),
		AppRoles:             appRoles,
		Verify:               s.mode.verify,
		AllowedOrigins:       config.AllowedOrigins,
		MaxBody:              config.MaxBody,
		BodyTimeout:          config.BodyTimeout,
		AnswerTimeout:        config.AnswerTimeout,
		MaxCall:              config.MaxCall,
		Stateful:             stateful,
		Limits:               config.Limits,
		Usage:                s.usage,
		CurrentSessionKeys:   func() [][]byte { return config.Keys.Derive("sessions "+path, config.Now()) },
		TokenKey:             s.mode.tokenKey(),
		TrustedProxies:       config.TrustedProxies,
		Logger:               s.log,
		Now:                  config.Now,
	}, withoutSlash(path, handler))
	var origin *guard.OriginError
	switch {
	case errors.As(err, &origin):
		return nil, &ConfigError{"AllowedOrigins", origin.Problem}
	case err != nil:
		return nil, fmt.Errorf("server: %w", err)
	}
	s.mux.Handle(guarded.MetadataPath(), guarded.Metadata())
	s.mux.Handle(guarded.MetadataPath()+"/{$}", guarded.Metadata())
	return guarded, nil
}

// withoutSlash hides from a handler that its path was written with a slash at the end.
func withoutSlash(path string, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path != "" && r.URL.Path == path+"/" {
			address := *r.URL
			address.Path = path
			address.RawPath = ""
			plain := *r
			plain.URL = &address
			r = &plain
		}
		handler.ServeHTTP(w, r)
	})
}

// newHandler makes the handler behind the guard: the given one, the upstream's or the tools'.
func (s *Server) newHandler(config Config) (http.Handler, error) {
	switch {
	case config.MCP != nil && config.Upstream != "":
		return nil, errors.New("server: want a handler or an upstream behind the guard, got both")
	case config.MCP != nil:
		return config.MCP, nil
	case config.Upstream == "":
		return tools.Handler(s.toolsConfig(config)), nil
	}
	keys := &callerKeys{shared: config.Keys, now: config.Now}
	if _, err := keys.read(); err != nil {
		return nil, err
	}
	proxy, err := upstream.New(upstream.Config{
		URL:             config.Upstream,
		Headers:         config.UpstreamHeaders,
		Query:           config.UpstreamQuery,
		Issuer:          config.PublicURL,
		CurrentKeys:     keys.current,
		ClientAddress:   s.clientAddress,
		ResponseTimeout: responseTimeout(config.MaxCall),
		Now:             config.Now,
		Rand:            config.Rand,
		Logger:          s.log,
	})
	var listed *upstream.ListError
	switch {
	case errors.As(err, &listed):
		return nil, &ConfigError{"Upstream" + listed.Field, listed.Problem}
	case err != nil:
		return nil, &ConfigError{"Upstream", "cannot be used: " + strings.TrimPrefix(err.Error(), "upstream: ")}
	}
	s.mux.Handle(CallerKeysPath, proxy.Keys())
	return proxy, nil
}

// responseTimeout bounds how long an upstream may take to begin an answer. It is a little longer
// than a call may run, so that the guard ends the call, and its answer and log name the setting.
// Only listening streams reach this timeout.
func responseTimeout(maxCall time.Duration) time.Duration {
	if maxCall < 0 {
		return maxCall
	}
	return cmp.Or(maxCall, guard.DefaultMaxCall) + 5*time.Second
}

// clientAddress returns the client's IP address behind the trusted proxies, or "" if it is unknown.
func (s *Server) clientAddress(r *http.Request) string {
	address := s.proxies.Address(r)
	if !address.IsValid() {
		return ""
	}
	return address.String()
}

func (s *Server) toolsConfig(config Config) tools.Config {
	return tools.Config{
		Name:        config.Name,
		Version:     config.Version,
		GraphToken:  s.mode.graphToken,
		Me:          s.mode.me,
		Challenged:  s.mode.challenged,
		Stateful:    config.Stateful,
		MaxSessions: config.Limits.TotalSessions,
		Now:         config.Now,
		Logger:      s.log,
	}
}
