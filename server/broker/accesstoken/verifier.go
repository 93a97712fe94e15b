package accesstoken

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"mcpentra/server/identity"
	"mcpentra/server/token"
)

// A Config describes a resource server. Issuer and Resource are required.
type Config struct {
	// Issuer is the broker, such as https://mcp.example.com. Its keys are at the path /jwks.
	Issuer string
	// Resource is the URL of the resource server, as the broker's operator has registered it. Only
	// tokens with this audience count.
	Resource string
	// HTTPClient fetches the keys. Nil means a client of its own, which uses no proxy.
	HTTPClient *http.Client
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Logger records failed fetches. Nil discards.
	Logger *slog.Logger
}

// A Verifier verifies a broker's access tokens for one resource. It is safe for concurrent use.
type Verifier struct {
	cache *token.Cache[*identity.Caller]
}

// New makes a Verifier. It fetches no keys yet.
func New(config Config) (*Verifier, error) {
	if config.Issuer == "" || config.Resource == "" {
		return nil, errors.New("accesstoken: Issuer and Resource are required")
	}
	keys := &token.Remote{
		URL:        config.Issuer + "/jwks",
		HTTPClient: config.HTTPClient,
		Now:        config.Now,
		Logger:     config.Logger,
	}
	verifier := &token.Verifier{
		Issuer:       config.Issuer,
		Audiences:    []string{config.Resource},
		Algorithms:   []string{"ES256"},
		Types:        []string{"at+jwt"},
		Keys:         keys.Keys,
		Limit:        token.NewLimit(),
		Now:          config.Now,
		ExpiryLeeway: token.AccessLeeway,
	}
	return &Verifier{cache: token.NewCache(0, verifier.Verify, Read)}, nil
}

// Verify verifies a token. It returns a *token.InvalidError, or an error that says that it cannot
// know now. With the reason token.Expired, the caller comes together with the error.
func (v *Verifier) Verify(ctx context.Context, raw string) (*identity.Caller, error) {
	cached, err := v.cache.Verify(ctx, raw)
	if cached == nil {
		return nil, err
	}
	caller := *cached // a handler that changes its caller changes no other request
	return &caller, err
}
