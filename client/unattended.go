package client

import (
	"context"
	"errors"
	"fmt"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
)

// Unattended is a way to get tokens without a person: ClientCredentials, Workload or Enterprise.
// The server is discovered as for a person; nobody is registered, and what is refused is not tried
// another way.
type Unattended interface {
	check(*Config) error
	token(ctx context.Context, t *Transport, a *attempt) (*tokenrequest.Token, error)
}

// ClientCredentials gets tokens for the client itself, with the secret or key of its Config (MCP,
// OAuth Client Credentials).
type ClientCredentials struct{}

func (ClientCredentials) check(c *Config) error {
	if c.ClientID == "" || c.ClientSecret == "" && c.ClientKey == nil {
		return errors.New("client: client credentials: want a client ID, and a secret or a key")
	}
	return nil
}

func (ClientCredentials) token(ctx context.Context, t *Transport, a *attempt) (*tokenrequest.Token, error) {
	return t.endpoint(a.issuer, a.client, a.dpop).ClientCredentials(ctx, a.scopes, a.resource)
}

// Workload gets tokens for the identity that a platform gives its workloads, such as a Kubernetes
// service account or a job of a build service (RFC 7523 section 2.1).
type Workload struct {
	// Assertion returns the signed identity, a JWT. It is called each time: platforms replace it
	// often.
	Assertion func(ctx context.Context) (string, error)
}

func (w Workload) check(*Config) error {
	if w.Assertion == nil {
		return errors.New("client: workload identity: want an assertion")
	}
	return nil
}

func (w Workload) token(ctx context.Context, t *Transport, a *attempt) (*tokenrequest.Token, error) {
	assertion, err := w.Assertion(ctx)
	if err != nil {
		return nil, fmt.Errorf("workload identity: %w", err)
	}
	return t.endpoint(a.issuer, a.client, a.dpop).JWTBearer(ctx, assertion, a.scopes, a.resource)
}

// Enterprise gets tokens for a person who has signed in with their organisation's identity provider
// already, which decides instead of asking (MCP, Enterprise-Managed Authorization). The ClientID of
// the Config is the one at the MCP server's authorization server.
type Enterprise struct {
	// IDToken returns what the identity provider issued at the sign-in.
	IDToken func(ctx context.Context) (string, error)
	// Issuer is the identity provider, whose metadata is looked up unless TokenEndpoint is given.
	Issuer, TokenEndpoint string
	// ClientID, and ClientSecret if there is one, are what the identity provider knows the program
	// as.
	ClientID, ClientSecret string
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

func (e Enterprise) token(ctx context.Context, t *Transport, a *attempt) (*tokenrequest.Token, error) {
	provider := &discovery.Issuer{Issuer: e.Issuer, TokenEndpoint: e.TokenEndpoint}
	if e.TokenEndpoint == "" {
		fetcher := discovery.Fetcher{HTTPClient: t.config.outbound(t.config.Base)} // which the server has not chosen
		var err error
		if provider, err = fetcher.FindIssuer(ctx, e.Issuer, nil); err != nil {
			return nil, fmt.Errorf("identity provider: %w", err)
		}
	} else if _, err := discovery.CheckURL(e.TokenEndpoint, nil); err != nil {
		return nil, fmt.Errorf("identity provider: %w", err)
	}
	known, err := signin.Preregistered(provider, e.ClientID, e.ClientSecret, false)
	if err != nil {
		return nil, err
	}
	idToken, err := e.IDToken(ctx)
	if err != nil {
		return nil, fmt.Errorf("identity provider: %w", err)
	}
	atProvider := tokenrequest.Endpoint{
		URL:        provider.TokenEndpoint,
		Client:     known,
		HTTPClient: t.config.outbound(t.config.Base),
		Now:        t.config.Now,
	}
	assertion, err := atProvider.Exchange(
		ctx,
		tokenrequest.Exchange{Subject: idToken, Audience: a.issuer.Issuer, Resource: a.resource, Scopes: a.scopes},
	)
	if err != nil {
		return nil, err
	}
	return t.endpoint(a.issuer, a.client, a.dpop).JWTBearer(ctx, assertion, a.scopes, a.resource)
}
