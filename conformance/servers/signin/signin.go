package signin

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// SignIn gets tokens as any client does. It is not a check: it trusts more than a client should,
// and leaves the judgement to the checks.
type SignIn struct {
	// URL of the MCP endpoint.
	URL string
	// Open shows an authorization page to a person. Required. Its error ends the sign-in.
	Open func(ctx context.Context, page string) error
	// HTTPClient sends the requests. Nil means a plain one.
	HTTPClient *http.Client
	// Timeout is how long a person may take. Zero means five minutes.
	Timeout time.Duration
	// OtherResource is another resource of the same authorization server (RFC 8707). Tokens asks
	// for a token for it. Empty means https://other.example/mcp.
	OtherResource string
	// ClientID is a registered client. Empty means that the sign-in registers one.
	ClientID string
	// ClientSecret is the secret of the registered client. Empty means a public client.
	ClientSecret string
	// RedirectURI is a redirect URI of the registered client, on loopback. Without a port, the
	// sign-in uses a free one (RFC 8252 section 7.3). Empty means http://127.0.0.1/callback.
	RedirectURI string
}

// Token takes a person through the sign-in, and returns the access token. A refusal by the
// authorization server is a *Refused.
func (s *SignIn) Token(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	f, err := s.begin(ctx)
	if err != nil {
		return "", err
	}
	defer f.callbacks.close()
	g, err := f.first(ctx)
	if err != nil {
		return "", err
	}
	return g.answer.AccessToken, nil
}

// begin finds the authorization server and registers a client there. The caller closes the flow's
// callback server.
func (s *SignIn) begin(ctx context.Context) (*flow, error) {
	f, err := s.discover(ctx)
	if err != nil {
		return nil, err
	}
	f.callbacks, err = listenForCallbacks(s.RedirectURI)
	if err != nil {
		return nil, err
	}
	register := f.register
	if s.ClientID != "" {
		register = f.useRegistered
	}
	if err := register(ctx); err != nil {
		f.callbacks.close()
		return nil, err
	}
	return f, nil
}

// first sends the person to the authorization page for the first time. A server that refuses the
// request at once is not shown to the person. If it refuses the parameter resource, as Entra ID
// does for resources that are not its own, first leaves the parameter out.
func (f *flow) first(ctx context.Context) (*grant, error) {
	err := f.refusesAtOnce(ctx, f.scopes, f.resource)
	if !isClear(err) {
		var made *grant
		made, err = f.authorize(ctx, f.scopes, f.resource)
		if err == nil {
			return made, nil
		}
	}
	if f.resource == "" || !isRefusedTarget(err) {
		return nil, err
	}
	f.resource = ""
	return f.authorize(ctx, f.scopes, "")
}

// isClear reports whether an error refuses an authorization request itself. Other errors may come
// from something that lets only browsers through.
func isClear(err error) bool {
	var refused *Refused
	isRefusal := errors.As(err, &refused)
	return isRefusal && (refused.Code != "" || refused.Status == http.StatusBadRequest)
}

func (s *SignIn) timeout() time.Duration {
	if s.Timeout == 0 {
		return 5 * time.Minute
	}
	return s.Timeout
}

func (s *SignIn) client() *http.Client {
	if s.HTTPClient != nil {
		return s.HTTPClient
	}
	return &http.Client{Timeout: 30 * time.Second}
}
