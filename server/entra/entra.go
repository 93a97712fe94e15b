package entra

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Config says which registration of which tenant the client speaks for.
type Config struct {
	Authority           string
	TenantID            string
	ClientID            string
	ClientSecret        string
	RedirectURI         string
	GraphURL            string
	HTTPClient          *http.Client
	Now                 func() time.Time
	Rand                io.Reader
	Logger              *slog.Logger
	TrustPublicFakeKeys bool
}

// Client speaks to Entra ID for one web app registration of one tenant.
type Client struct{ cfg Config }

// New reads the configuration; it does not touch the network.
func New(cfg Config) (*Client, error) { return &Client{cfg: cfg}, nil }

// Check asks Entra whether tenant, client id and secret are right.
func (c *Client) Check(ctx context.Context) error { return errors.ErrUnsupported }

// AuthorizationRequest is what one sign-in sends the browser to Entra with.
type AuthorizationRequest struct {
	State, Nonce, CodeChallenge string
	Scopes                      []string
	Prompt, LoginHint           string
}

// AuthorizationURL builds the URL that sends the browser to Entra's sign-in.
func (c *Client) AuthorizationURL(ctx context.Context, req AuthorizationRequest) (string, error) {
	return "", errors.ErrUnsupported
}

// Redemption is the authorization code that came back, with the secrets made at the start.
type Redemption struct{ Code, Verifier, Nonce string }

// Tokens is what Entra gave for a code or a refresh token.
type Tokens struct {
	AccessToken, RefreshToken string
	Expiry                    time.Time
	Scopes                    []string
	User                      User
}

// User is who signed in, from the verified ID token.
type User struct{ Issuer, TenantID, ObjectID, Name, Username string }

// Redeem exchanges the code and verifies the ID token.
func (c *Client) Redeem(ctx context.Context, r Redemption) (*Tokens, error) {
	return nil, errors.ErrUnsupported
}

// Refresh exchanges a refresh token.
func (c *Client) Refresh(ctx context.Context, refreshToken string, scopes []string) (*Tokens, error) {
	return nil, errors.ErrUnsupported
}

// Profile is the part of Graph's user resource that the tools use.
type Profile struct{ ID, DisplayName, UserPrincipalName, Mail string }

// Me asks Graph who the access token speaks for.
func (c *Client) Me(ctx context.Context, accessToken string) (*Profile, error) {
	return nil, errors.ErrUnsupported
}
