package server

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
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
	// CallerKeysPath is where the keys are served that an upstream can check the caller's name
	// with.
	CallerKeysPath = "/caller/jwks"
	// SSEPath is where the HTTP+SSE transport is served, if it is.
	SSEPath = "/sse"
)

// mountEndpoint puts what is served behind its guard.
func (s *Server) mountEndpoint(config *Config, public, path string) error {
	if len(config.Scopes) == 0 {
		return errors.New("server: want at least one scope: the first is what every request needs")
	}
	config.Limits = config.Limits.WithDefaults()
	s.usage = guard.NewUsage(config.Limits)
	endpoint, err := s.newEndpoint(config, public)
	if err != nil {
		return err
	}
	if s.endpoint, err = s.mountGuarded(config, s.resource, path, endpoint, config.Stateful); err != nil {
		return err
	}
	if path != "" { // else handleOrigin passes on what is for the endpoint
		s.mux.Handle(path, s.endpoint)
		s.mux.Handle(path+"/{$}", s.endpoint)
	}
	if !config.LegacySSE {
		return nil
	}
	switch {
	case config.MCP != nil || config.Upstream != "":
		return &ConfigError{"LegacySSE", "is for the reference server's tools, and a handler or an upstream " +
			"takes their place"}
	case strings.EqualFold(path, SSEPath), strings.EqualFold(path, SSEPath+tools.MessagePath):
		return &ConfigError{"Path", "is " + path + ", where the HTTP+SSE transport is: write another path, such " +
			"as /mcp"}
	}
	legacy := tools.LegacySSE(s.toolsConfig(config), SSEPath)
	guarded, err := s.mountGuarded(config, public+SSEPath, SSEPath, legacy, false)
	if err != nil {
		return err
	}
	s.mux.Handle(SSEPath, guarded)
	s.mux.Handle(SSEPath+"/{$}", guarded)
	s.mux.Handle(SSEPath+tools.MessagePath, guarded)
	return nil
}

// mountGuarded puts a handler behind a guard, and mounts the metadata of the resource that it is.
func (s *Server) mountGuarded(config *Config, resource, path string, handler http.Handler,
	stateful bool) (http.Handler, error) {
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
		SessionKeys:          config.Keys.Derive("sessions " + path),
		TokenKey:             s.mode.tokenKey(),
		TrustedProxies:       config.TrustedProxies,
		Logger:               s.log,
		Now:                  config.Now,
	}, withoutSlash(path, handler))
	var origin *guard.OriginError
	if errors.As(err, &origin) {
		return nil, &ConfigError{"AllowedOrigins", origin.Problem}
	} else if err != nil {
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

// newEndpoint is what stands behind the guard.
func (s *Server) newEndpoint(config *Config, public string) (http.Handler, error) {
	switch {
	case config.MCP != nil && config.Upstream != "":
		return nil, errors.New("server: want a handler or an upstream behind the guard, got both")
	case config.MCP != nil:
		return config.MCP, nil
	case config.Upstream == "":
		return tools.Handler(s.toolsConfig(config)), nil
	}
	keys, err := callerKeys(config)
	if err != nil {
		return nil, err
	}
	proxy, err := upstream.New(upstream.Config{
		URL:             config.Upstream,
		Headers:         config.UpstreamHeaders,
		Query:           config.UpstreamQuery,
		Issuer:          public,
		Keys:            keys,
		ClientAddress:   config.clientAddress,
		ResponseTimeout: responseTimeout(config.MaxCall),
		Now:             config.Now,
		Rand:            config.Rand,
		Logger:          s.log,
	})
	var listed *upstream.ListError
	if errors.As(err, &listed) {
		return nil, &ConfigError{"Upstream" + listed.Field, listed.Problem}
	}
	if err != nil {
		return nil, &ConfigError{"Upstream", "cannot be used: " + strings.TrimPrefix(err.Error(), "upstream: ")}
	}
	s.mux.Handle(CallerKeysPath, proxy.Keys())
	return proxy, nil
}

// responseTimeout is how long an upstream may take to begin an answer: a little longer than a call
// may run. So the guard ends a call, and its answer and log name the setting. Only listening
// streams reach the timeout.
func responseTimeout(maxCall time.Duration) time.Duration {
	if maxCall < 0 {
		return maxCall
	}
	return cmp.Or(maxCall, guard.DefaultMaxCall) + 5*time.Second
}

// clientAddress is the IP address that a request came from, behind the trusted proxies; "" where it
// has none.
func (c *Config) clientAddress(r *http.Request) string {
	address := c.TrustedProxies.Address(r)
	if !address.IsValid() {
		return ""
	}
	return address.String()
}

// callerKeys follow from the keys that all replicas share.
func callerKeys(config *Config) ([]*ecdsa.PrivateKey, error) {
	var keys []*ecdsa.PrivateKey
	for _, secret := range config.Keys.Derive("callers") {
		// All but one of 2^32 values are keys of this curve.
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret)
		if err != nil {
			return nil, fmt.Errorf("server: a key to name callers with: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (s *Server) toolsConfig(config *Config) tools.Config {
	return tools.Config{
		Name:        config.Name,
		Version:     config.Version,
		GraphToken:  s.mode.graphToken,
		Me:          s.mode.me,
		Stateful:    config.Stateful,
		MaxSessions: config.Limits.TotalSessions,
		Now:         config.Now,
		Logger:      s.log,
	}
}
