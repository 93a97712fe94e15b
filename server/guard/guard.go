package guard

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// Principal is who a token speaks for.
type Principal struct{ Issuer, TenantID, ObjectID string }

// Identity is what a verified token says.
type Identity struct {
	Principal                                              Principal
	Name, Username, ClientID, ClientName, GrantID, TokenID string
	Scopes                                                 []string
	Issued, Expiry                                         time.Time
}

// Verify judges a raw bearer token.
type Verify func(ctx context.Context, raw string) (*Identity, error)

// Config says what is guarded.
type Config struct {
	Resource                                      string
	AuthorizationServers, Scopes, ScopesSupported []string
	ResourceName                                  string
	Verify                                        Verify
	AllowedOrigins                                []string
	MaxBody                                       int64
	Logger                                        *slog.Logger
	Now                                           func() time.Time
}

// Guard is an http.Handler that lets only good tokens through.
type Guard struct {
	cfg  Config
	next http.Handler
}

// New checks the configuration.
func New(cfg Config, next http.Handler) (*Guard, error) { return &Guard{cfg, next}, nil }

func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) { http.Error(w, "", 503) }

// Metadata serves the protected resource metadata.
func (g *Guard) Metadata() http.Handler { return http.NotFoundHandler() }

// MetadataPath is where Metadata belongs.
func (g *Guard) MetadataPath() string { return "" }

type identityKey struct{}

// NewContext returns a context that carries the identity.
func NewContext(ctx context.Context, id *Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// FromContext returns the identity of the caller.
func FromContext(ctx context.Context) (*Identity, bool) {
	id, ok := ctx.Value(identityKey{}).(*Identity)
	return id, ok
}
