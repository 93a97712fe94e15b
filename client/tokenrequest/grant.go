package tokenrequest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Client is what an authorization server knows this program as.
type Client struct {
	ID         string `json:"client_id,omitempty"`
	Secret     string `json:"client_secret,omitempty"`
	AuthMethod string `json:"token_endpoint_auth_method,omitempty"` // none, client_secret_post, client_secret_basic or private_key_jwt
}

// Token is what came of a grant.
type Token struct {
	Access  string    `json:"access_token,omitempty"`
	Refresh string    `json:"refresh_token,omitempty"` // empty when there is none
	Expiry  time.Time `json:"expiry,omitzero"`         // zero when the server does not say
	Scopes  []string  `json:"scopes,omitzero"`         // those granted; nil when the server does not say, which means those asked for
	Bound   bool      `json:"bound,omitempty"`         // to the key of the Endpoint's DPoP
	IDToken string    `json:"-"`                       // as it came, empty when there is none; not kept
}

// An Endpoint is a token endpoint and who asks there.
type Endpoint struct {
	URL    string
	Client Client
	// Key signs the client's assertions, where it authenticates with private_key_jwt. Issuer is who
	// they are for (MCP, OAuth Client Credentials): the issuer identifier.
	Key    *Key
	Issuer string
	// SigningAlgs are those that the server says it takes in assertions. Empty means that it does
	// not say.
	SigningAlgs []string
	// DPoP binds the tokens to a key (RFC 9449). Nil asks for bearer tokens.
	DPoP *DPoP
	// Scope is sent when a code is redeemed and when a token is refreshed, which OAuth leaves open
	// and Entra ID needs where it gets no resource. Empty leaves it out.
	Scope string
	// HTTPClient sends the requests. Redirects are not followed. Nil means one with
	// http.DefaultTransport.
	HTTPClient *http.Client
	// Pause waits between two questions for the token of a device code, and comes back early with
	// the context's error. Nil waits that long.
	Pause func(ctx context.Context, d time.Duration) error
	// Now is the clock that expiry is counted by. Nil means time.Now.
	Now func() time.Time
}

// An Error is a refusal (RFC 6749 section 5.2).
type Error struct {
	Status      int
	Code        string
	Description string
}

func (e *Error) Error() string {
	if e.Description == "" {
		return e.Code
	}
	return e.Code + ": " + e.Description
}

// Over reports whether the grant has ended, so that only a new sign-in helps.
func (e *Error) Over() bool { return e.Code == "invalid_grant" }

// Redeem exchanges an authorization code (OAuth 2.1 section 4.1.3).
func (e *Endpoint) Redeem(ctx context.Context, code, verifier, redirectURI, resource string) (*Token, error) {
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"code_verifier": {verifier},
		"redirect_uri":  {redirectURI},
	}
	setUnlessEmpty(form, "scope", e.Scope)
	return e.ask(ctx, form, resource)
}

// Refresh exchanges a refresh token (OAuth 2.1 section 4.3). An answer without a new one means that
// the old one stays.
func (e *Endpoint) Refresh(ctx context.Context, refresh, resource string) (*Token, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}
	setUnlessEmpty(form, "scope", e.Scope)
	answer, err := e.ask(ctx, form, resource)
	if err == nil && answer.Refresh == "" {
		answer.Refresh = refresh
	}
	return answer, err
}

// Revoke tells the authorization server that a refresh or access token is not needed any more (RFC
// 7009). revocation is the endpoint's URL.
func (e *Endpoint) Revoke(ctx context.Context, revocation, token string) error {
	at := *e
	at.URL = revocation
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, err := at.request(ctx, url.Values{"token": {token}})
	if err != nil {
		return err
	}
	response, err := at.send(request)
	if err != nil {
		return fmt.Errorf("revocation endpoint: %w", withoutForm(err))
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("revocation endpoint %s: status %d, want 200", revocation, response.StatusCode)
	}
	return nil
}
