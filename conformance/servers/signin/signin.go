package signin

import (
	"context"
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
	g, err := f.authorize(ctx, f.scopes, f.resource)
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
	f.callbacks, err = listenForCallbacks()
	if err != nil {
		return nil, err
	}
	if err := f.register(ctx); err != nil {
		f.callbacks.close()
		return nil, err
	}
	return f, nil
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
