package entra

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"mcpentra/server/identity"
)

// Redemption holds an authorization code and the secrets of its sign-in.
type Redemption struct {
	Code string
	// Verifier is the PKCE code verifier (RFC 7636 section 4.1).
	Verifier string
	Nonce    string
	// Issuers are the values of the parameter iss in the answer (RFC 9207 section 2). Entra sends
	// none today.
	Issuers []string
}

// IssuerError means that the answer to a sign-in came from another issuer (RFC 9207 section 2.4).
// The sign-in must fail.
type IssuerError struct {
	// Want is the issuer that was asked.
	Want string
}

func (e *IssuerError) Error() string {
	return fmt.Sprintf("the answer to the sign-in does not name the issuer %s in iss", e.Want)
}

// judgeIss refuses an answer that names another issuer, or none although the issuer announces that
// it names itself.
func (d *discovered) judgeIss(named []string) error {
	isOwn := len(named) == 1 && named[0] == d.Issuer
	if isOwn || len(named) == 0 && !d.NamesItself {
		return nil
	}
	return &IssuerError{Want: d.Issuer}
}

// Tokens are the tokens that Entra gave for a code or a refresh token.
type Tokens struct {
	// AccessToken is for Microsoft Graph alone. It is opaque to us.
	AccessToken string
	// RefreshToken replaces the presented one.
	RefreshToken string
	Expiry       time.Time
	// Scopes are the granted scopes, by their short names (User.Read). They may differ from the
	// requested ones.
	Scopes []string
	// User is the person who signed in. After a refresh it is set only if Entra sent an ID token.
	User User
}

// User is the person who signed in, from the verified ID token. Name and Username are for display
// only, because they change and users can choose them.
type User struct {
	identity.Principal
	Name, Username string
	identity.Attributes
}

// Redeem exchanges the code for tokens, and verifies the ID token. The error is an [*Error], an
// [*IssuerError], an [*IDTokenError] or an [*UnavailableError].
func (c *Client) Redeem(ctx context.Context, r Redemption) (*Tokens, error) {
	if r.Code == "" || r.Verifier == "" || r.Nonce == "" {
		return nil, errors.New("entra: a redemption needs a code, a verifier and a nonce")
	}
	found, _, err := c.discover(ctx)
	if err != nil {
		return nil, err
	}
	if err := found.judgeIss(r.Issuers); err != nil {
		return nil, err
	}
	answer, err := c.requestPatiently(ctx, found, "code", c.redeeming(found, r))
	if err != nil {
		return nil, err
	}
	tokens := c.tokens(answer, nil)
	raw, _ := answer.Extra("id_token").(string)
	tokens.User, err = c.verifyIDToken(ctx, raw, r.Nonce)
	if err != nil {
		return nil, err
	}
	return tokens, nil
}

// Refresh exchanges a refresh token for new tokens with the scopes of the sign-in. If
// [Error.GrantOver] is true, the user has to sign in again. After any other error, the refresh
// token may be presented again, because Entra does not withdraw it when it issues a new one.
func (c *Client) Refresh(ctx context.Context, refreshToken string, scopes []string) (*Tokens, error) {
	if refreshToken == "" {
		return nil, errors.New("entra: a refresh needs a refresh token")
	}
	found, _, err := c.discover(ctx)
	if err != nil {
		return nil, err
	}
	// oauth2.Config sends no scope with a refresh, but Entra needs it to know the resource
	// (AADSTS90009). The client credentials Config sends scopes, and accepts another grant type.
	answer, err := c.request(ctx, found, "refresh", subjectOf(refreshToken), c.asking(
		found,
		withSignInScopes(scopes),
		url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}},
	))
	if err != nil {
		return nil, err
	}
	tokens := c.tokens(answer, scopes)
	raw, _ := answer.Extra("id_token").(string)
	if raw == "" {
		return tokens, nil
	}
	tokens.User, err = c.verifyIDToken(ctx, raw, "")
	if err != nil {
		return nil, err
	}
	return tokens, nil
}

func (c *Client) clientCredentials(ctx context.Context, found *discovered) (*Tokens, error) {
	answer, err := c.request(
		ctx,
		found,
		"client credentials",
		noSubject,
		c.asking(found, []string{c.graphHost(found) + "/.default"}, nil),
	)
	if err != nil {
		return nil, err
	}
	return c.tokens(answer, nil), nil
}

// A tokenRequest sends a token request through x/oauth2 with the parameters of the credential.
type tokenRequest func(ctx context.Context, credential url.Values) (*oauth2.Token, error)

// redeeming returns the request that redeems a code.
func (c *Client) redeeming(found *discovered, r Redemption) tokenRequest {
	return func(ctx context.Context, credential url.Values) (*oauth2.Token, error) {
		options := []oauth2.AuthCodeOption{oauth2.VerifierOption(r.Verifier)}
		for name := range credential {
			options = append(options, oauth2.SetAuthURLParam(name, credential.Get(name)))
		}
		return c.oauth(found).Exchange(ctx, r.Code, options...)
	}
}

// asking returns a request for scopes. Without a grant_type in the parameters, the registration
// asks for itself.
func (c *Client) asking(found *discovered, scopes []string, parameters url.Values) tokenRequest {
	return func(ctx context.Context, credential url.Values) (*oauth2.Token, error) {
		all := maps.Clone(credential)
		maps.Copy(all, parameters)
		config := clientcredentials.Config{
			ClientID:       c.cfg.ClientID,
			TokenURL:       found.TokenEndpoint,
			Scopes:         scopes,
			EndpointParams: all,
			AuthStyle:      oauth2.AuthStyleInParams,
		}
		return config.Token(ctx)
	}
}

// requestPatiently is request for a person who waits at a browser. It waits for the end of a short
// pause, and then asks once more.
func (c *Client) requestPatiently(
	ctx context.Context,
	found *discovered,
	op string,
	send tokenRequest,
) (*oauth2.Token, error) {
	if left := c.pauses.left("token", noSubject); left > 0 && !wait(ctx, left) {
		return nil, errPaused(op, left)
	}
	answer, err := c.send(ctx, found, op, noSubject, send)
	if left := c.pauses.left("token", noSubject); err != nil && left > 0 && wait(ctx, left) {
		return c.send(ctx, found, op, noSubject, send)
	}
	return answer, err
}

// request sends one token request, unless the endpoint has asked for a pause. Who is the token that
// the request presents.
func (c *Client) request(
	ctx context.Context,
	found *discovered,
	op string,
	who subject,
	send tokenRequest,
) (*oauth2.Token, error) {
	if left := c.pauses.left("token", who); left > 0 {
		return nil, errPaused(op, left)
	}
	return c.send(ctx, found, op, who, send)
}

// send sends one token request, and remembers the pause that the answer asks for.
func (c *Client) send(
	ctx context.Context,
	found *discovered,
	op string,
	who subject,
	send tokenRequest,
) (*oauth2.Token, error) {
	answer, err := c.sendOnce(ctx, found, op, send)
	c.pauses.note("token", who, err)
	return answer, err
}

// sendOnce sends one token request, and turns the errors of x/oauth2 into ours.
func (c *Client) sendOnce(ctx context.Context, found *discovered, op string, send tokenRequest) (*oauth2.Token, error) {
	credential, err := c.authenticate(ctx, found)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answer, err := send(context.WithValue(ctx, oauth2.HTTPClient, c.http), credential)
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
		return nil, c.refusal(op, refused.Response, refused.Body)
	case err != nil:
		return nil, &UnavailableError{Op: op, Err: withoutURL(err)}
	case !strings.EqualFold(answer.Type(), "Bearer"):
		return nil, &UnavailableError{Op: op, Err: fmt.Errorf("the token type is not Bearer")}
	}
	return answer, nil
}

// tokens reads an answer. It computes the expiry itself, because x/oauth2 uses the machine's clock.
func (c *Client) tokens(answer *oauth2.Token, asked []string) *Tokens {
	t := &Tokens{AccessToken: answer.AccessToken, RefreshToken: answer.RefreshToken, Scopes: slices.Clone(asked)}
	lifetime := 0
	switch seconds := answer.Extra("expires_in").(type) {
	case float64:
		lifetime = int(seconds)
	case string:
		lifetime, _ = strconv.Atoi(seconds)
	}
	// No issuer gives tokens for more than two days. A token without a lifetime counts as expired.
	t.Expiry = c.now().Add(time.Duration(min(max(lifetime, 0), 48*3600)) * time.Second)
	if scope, ok := answer.Extra("scope").(string); ok {
		t.Scopes = t.Scopes[:0]
		for _, name := range strings.Fields(scope) {
			t.Scopes = append(t.Scopes, name[strings.LastIndexByte(name, '/')+1:])
		}
	}
	return t
}

// withoutURL returns the cause of a transport error without the URL, which the message need not
// repeat.
func withoutURL(err error) error {
	var transport *url.Error
	if errors.As(err, &transport) {
		return transport.Err
	}
	return err
}
