package tokenrequest

import (
	"context"
	"net/http"
	"time"
)

// An Endpoint is the token endpoint of an authorization server, and the client that sends requests
// to it.
type Endpoint struct {
	URL    string
	Client Client
	// Key signs the client's assertions if it authenticates with private_key_jwt.
	Key *Key
	// Issuer is the issuer identifier of the authorization server. It is the audience of the
	// assertions (MCP, OAuth Client Credentials).
	Issuer string
	// SigningAlgs are the algorithms that the server accepts in assertions, by its metadata. Empty
	// means that its metadata does not say.
	SigningAlgs []string
	// DPoP binds the tokens to a key (RFC 9449). Nil asks for bearer tokens.
	DPoP *DPoP
	// Scope is the scope parameter of code and refresh requests. OAuth does not require it; Entra
	// ID needs it if a request names no resource. Empty leaves it out.
	Scope string
	// HTTPClient sends the requests. Its redirects are not followed. Nil means a client with
	// http.DefaultTransport.
	HTTPClient *http.Client
	// Pause waits between two requests with a device code. It returns early with the context's
	// error. Nil waits for the given time.
	Pause func(ctx context.Context, d time.Duration) error
	// Now returns the time from which expiry counts. Nil means time.Now.
	Now func() time.Time
}

// A Client is the registration of this program at an authorization server.
type Client struct {
	ID     string `json:"client_id,omitempty"`
	Secret string `json:"client_secret,omitempty"`
	// AuthMethod is client_secret_post, client_secret_basic, private_key_jwt or none.
	AuthMethod string `json:"token_endpoint_auth_method,omitempty"`
	// SecretExpiresAt is a time in seconds since 1970, or 0 for a secret that does not expire (RFC
	// 7591 section 3.2.1).
	SecretExpiresAt int64 `json:"client_secret_expires_at,omitempty"`
}

// SecretExpired reports whether the client's secret has expired at a time.
func (c Client) SecretExpired(now time.Time) bool {
	return c.Secret != "" && c.SecretExpiresAt != 0 && now.Unix() >= c.SecretExpiresAt
}

func (e *Endpoint) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}
