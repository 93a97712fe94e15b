package client

import (
	"context"
	"errors"
	"fmt"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
)

// Unattended gets tokens without a person: ClientCredentials, Workload or Enterprise. The server is
// discovered as usual. The program does not register itself. If one way is refused, no other is
// tried.
type Unattended interface {
	check(*Config) error
	token(ctx context.Context, s *signIn) (*tokenrequest.Token, error)
}

// ClientCredentials gets tokens for the client itself, with the secret or key in its Config (MCP,
// OAuth Client Credentials).
type ClientCredentials struct{}

func (ClientCredentials) check(c *Config) error {
	if c.ClientID == "" || c.ClientSecret == "" && c.ClientKey == nil {
		return errors.New("client: client credentials: want a client ID, and a secret or a key")
	}
	return nil
}

func (ClientCredentials) token(ctx context.Context, s *signIn) (*tokenrequest.Token, error) {
	return s.tokenEndpoint().ClientCredentials(ctx, s.scopes, s.resource)
}

// Workload gets tokens for the identity that a platform gives its workloads (RFC 7523 section 2.1).
// A workload is a Kubernetes service account, or a job of a build service.
type Workload struct {
	// Assertion returns the signed identity, a JWT. It is called for each token, because platforms
	// replace the identity often.
	Assertion func(ctx context.Context) (string, error)
}

func (w Workload) check(*Config) error {
	if w.Assertion == nil {
		return errors.New("client: workload identity: want an assertion")
	}
	return nil
}

func (w Workload) token(ctx context.Context, s *signIn) (*tokenrequest.Token, error) {
	assertion, err := w.Assertion(ctx)
	if err != nil {
		return nil, fmt.Errorf("workload identity: %w", err)
	}
	return s.tokenEndpoint().JWTBearer(ctx, assertion, s.scopes, s.resource)
}

// Enterprise gets tokens for a person who has signed in with an organisation's identity provider
// (MCP, Enterprise-Managed Authorization). The identity provider decides, and the person is not
// asked. The ClientID of the Config is the client at the MCP server's authorization server.
type Enterprise struct {
	// IDToken returns the ID token that the identity provider issued at the person's sign-in.
	IDToken func(ctx context.Context) (string, error)
	// Issuer is the identity provider. Its metadata names the token endpoint.
	Issuer string
	// TokenEndpoint is the identity provider's token endpoint. Empty means the one in its metadata.
	TokenEndpoint string
	// ClientID is the program's client ID at the identity provider.
	ClientID string
	// ClientSecret authenticates the client at the identity provider. Empty means a public client.
	ClientSecret string
}

func (e Enterprise) check(c *Config) error {
	switch {
	case e.IDToken == nil || e.ClientID == "":
		return errors.New(
			"client: enterprise-managed authorization: want an ID token, and the client ID at the identity provider",
		)
	case e.Issuer == "" && e.TokenEndpoint == "":
		return errors.New(
			"client: enterprise-managed authorization: want the issuer of the identity provider, or its token endpoint",
		)
	case c.ClientID == "":
		return errors.New(
			"client: enterprise-managed authorization: want the client ID at the MCP server's authorization server",
		)
	}
	return nil
}

// token exchanges the ID token for an assertion at the identity provider, and the assertion for an
// access token at the MCP server's authorization server.
func (e Enterprise) token(ctx context.Context, s *signIn) (*tokenrequest.Token, error) {
	// The server has not chosen the identity provider, so the address policy does not apply.
	direct := s.config.httpClient(s.config.Base)
	provider, err := e.provider(ctx, &discovery.Fetcher{HTTPClient: direct})
	if err != nil {
		return nil, fmt.Errorf("identity provider: %w", err)
	}
	client, err := signin.PreregisteredClient(provider, e.ClientID, e.ClientSecret, false)
	if err != nil {
		return nil, err
	}
	idToken, err := e.IDToken(ctx)
	if err != nil {
		return nil, fmt.Errorf("identity provider: %w", err)
	}
	atProvider := tokenrequest.Endpoint{
		URL:        provider.TokenEndpoint,
		Client:     client,
		HTTPClient: direct,
		Now:        s.config.Now,
	}
	assertion, err := atProvider.ExchangeToken(ctx, tokenrequest.TokenExchange{
		Subject:  idToken,
		Audience: s.issuer.Issuer,
		Resource: s.resource,
		Scopes:   s.scopes,
	})
	if err != nil {
		return nil, err
	}
	return s.tokenEndpoint().JWTBearer(ctx, assertion, s.scopes, s.resource)
}

// provider returns the identity provider's metadata.
func (e Enterprise) provider(ctx context.Context, fetcher *discovery.Fetcher) (*discovery.Issuer, error) {
	if e.TokenEndpoint == "" {
		return fetcher.FindIssuer(ctx, e.Issuer, nil)
	}
	if _, err := discovery.CheckURL(e.TokenEndpoint, nil); err != nil {
		return nil, err
	}
	return &discovery.Issuer{Issuer: e.Issuer, TokenEndpoint: e.TokenEndpoint}, nil
}
