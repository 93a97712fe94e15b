package server

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"mcpentra/server/broker"
	"mcpentra/server/clientip"
	"mcpentra/server/entra"
	"mcpentra/server/guard"
	"mcpentra/server/store"
)

// A Config describes a server. PublicURL and Entra's TenantID and ClientID are required, and in
// broker mode Entra's ClientSecret.
type Config struct {
	// PublicURL is the origin at which clients and browsers reach the server, such as
	// https://mcp.example.com. Plain http is accepted on loopback only.
	PublicURL string
	// Path is the path of the MCP endpoint. Empty means /mcp. "/" means the origin itself, where
	// browsers still get the front page.
	Path string
	// Name is the server's name, as people and clients see it. Empty means the host of PublicURL.
	Name string
	// Entra is the app registration: in broker mode the one that signs people in, in direct mode
	// the API that tokens are for. Its RedirectURI may be empty, because it follows from PublicURL.
	// HTTPClient, Now and Logger default to the fields of the same names below.
	Entra entra.Config
	// Direct makes the server accept Entra's own tokens and issue none. Nil means broker mode: the
	// server is the authorization server of its clients.
	Direct *Direct
	// MCP is the handler behind the guard. It finds the caller with guard.FromContext and never
	// sees a token. Nil means the reference server's tools, or the upstream.
	MCP http.Handler
	// Upstream is the URL of another MCP server, to which the requests go in place of MCP. Package
	// upstream documents what that server learns of callers. CallerKeysPath serves the key that
	// verifies it.
	Upstream string
	// UpstreamHeaders are names of headers that pass to and from the upstream, besides the usual
	// ones (upstream.Config).
	UpstreamHeaders []string
	// UpstreamQuery are names of callers' query parameters that reach the upstream. Nil means none.
	UpstreamQuery []string
	// Stateful says that the handler keeps sessions for clients of the revisions before 2026-07-28.
	// The guard then refuses requests without a session, and the reference server's tools keep
	// sessions. Sessions are bound to their caller either way.
	Stateful bool
	// LegacySSE also serves the reference server's tools at SSEPath, over the HTTP+SSE transport of
	// MCP 2024-11-05.
	LegacySSE bool
	// Scopes are the scopes that clients can ask for. Every request to the endpoint needs the
	// first. In direct mode they are the scopes that the API exposes. Nil means
	// broker.DefaultScopes, and in direct mode DirectScopes.
	Scopes []broker.Scope
	// Resources are other resources that take this server as their authorization server: they
	// accept access tokens that it issues for them. Broker mode alone has them.
	Resources []broker.Resource
	// AllowedOrigins are the origins of web pages that may call the endpoint, besides the server's
	// own.
	AllowedOrigins []string
	// TrustedProxies are the reverse proxies whose X-Forwarded-For or Forwarded is trusted. Nil
	// trusts none: the client is then the peer of the connection.
	TrustedProxies clientip.Proxies
	// MaxBody bounds a request to the endpoint in bytes. Zero means guard.DefaultMaxBody.
	MaxBody int64
	// BodyTimeout bounds how long a caller may take to send a body. Zero means
	// guard.DefaultBodyTimeout.
	BodyTimeout time.Duration
	// AnswerTimeout bounds how long a caller may take to read each piece of an answer. Zero means
	// guard.DefaultAnswerTimeout.
	AnswerTimeout time.Duration
	// MaxCall bounds how long a call may run. Zero means guard.DefaultMaxCall; negative means no
	// bound.
	MaxCall time.Duration
	// Limits bound what one caller, and all callers together, may have at once at the endpoint and
	// at SSEPath.
	Limits guard.Limits
	// Store keeps clients and grants. Nil means memory.
	Store store.Store
	// Keys encrypt what the store keeps, mark sessions, and sign callers' names for the upstream.
	// Nil means random keys. A store that outlives the process, and several replicas, need fixed
	// keys.
	Keys *broker.Keys
	// SigningKey is the P-256 key that signs access tokens. Nil means a key that is made once and
	// kept, encrypted, in the store.
	SigningKey *ecdsa.PrivateKey
	// RegistrationsPerMinute bounds how many clients one network (/24 of IPv4, /48 of IPv6) can
	// register, and how many sign-ins it can begin. Zero means 120; negative means no bound.
	RegistrationsPerMinute int
	// BrokerLimits bound what one network and one client may do at the authorization server beyond
	// that. They have no effect in direct mode.
	BrokerLimits broker.Limits
	// Clients decides which clients can use the server's authorization server. It has no effect in
	// direct mode.
	Clients broker.ClientPolicy
	// Version is the version that the reference server's tools report. Empty means "0".
	Version string
	// HTTPClient sends requests to Entra and Graph. Nil means a client with timeouts of its own.
	HTTPClient *http.Client
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Rand is the source of randomness. Nil means crypto/rand.
	Rand io.Reader
	// Logger records sign-ins, refusals and failures, never a token, code or secret. Nil discards.
	Logger *slog.Logger
}

// ConfigError reports a field of Config that cannot work.
type ConfigError struct {
	// Field is the field's name. Problem continues the sentence: "is …: write …".
	Field, Problem string
}

func (e *ConfigError) Error() string { return "server: " + e.Field + " " + e.Problem }

// withDefaults checks and normalizes PublicURL, Path and Entra.RedirectURI, and fills the fields
// whose zero value means something else. Path is then "" for the root.
func (c Config) withDefaults() (Config, error) {
	var err error
	c.PublicURL, err = readPublicURL(c.PublicURL)
	if err != nil {
		return c, err
	}
	c.Path, err = readPath(c.Path)
	if err != nil {
		return c, err
	}
	if c.Name == "" {
		_, c.Name, _ = strings.Cut(c.PublicURL, "://")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Keys == nil {
		c.Keys, err = broker.NewKeys(cmp.Or(c.Rand, rand.Reader))
	}
	if err != nil {
		return c, fmt.Errorf("server: %w", err)
	}
	switch {
	case c.Scopes != nil:
	case c.Direct != nil:
		c.Scopes = DirectScopes()
	default:
		c.Scopes = broker.DefaultScopes()
	}
	if c.Store == nil && c.Direct == nil {
		c.Store = store.NewMemory(store.Config{Now: c.Now})
	}
	if c.Direct != nil && len(c.Resources) > 0 {
		return c, &ConfigError{"Resources", "is not empty: in direct mode Entra issues the tokens; leave it out"}
	}
	c.Limits = c.Limits.WithDefaults()
	return c, c.fillEntra()
}

// fillEntra gives the registration what it shares with the server.
func (c *Config) fillEntra() error {
	if c.Entra.HTTPClient == nil {
		c.Entra.HTTPClient = c.HTTPClient
	}
	if c.Entra.Now == nil {
		c.Entra.Now = c.Now
	}
	if c.Entra.Logger == nil {
		c.Entra.Logger = c.Logger
	}
	if c.Direct != nil {
		return nil
	}
	want := c.PublicURL + broker.CallbackPath
	if c.Entra.RedirectURI == "" {
		c.Entra.RedirectURI = want
	}
	if c.Entra.RedirectURI != want {
		return &entra.ConfigError{
			Key: "AUTH_REDIRECT_URI",
			Problem: fmt.Sprintf(
				"is %q, but this server answers at %s: leave it out, or change MCP_PUBLIC_URL",
				c.Entra.RedirectURI,
				want,
			),
		}
	}
	return nil
}

// resource returns the URL of the MCP endpoint.
func (c *Config) resource() string { return c.PublicURL + c.Path }
