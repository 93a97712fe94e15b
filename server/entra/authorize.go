package entra

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/oauth2"
)

// signInScopes are the scopes of every sign-in: for the ID token, for the claims name, oid and
// preferred_username, and for a refresh token.
var signInScopes = []string{"openid", "profile", "offline_access"}

// AuthorizationRequest holds the parameters of one sign-in. State, Nonce and CodeChallenge are
// required, and must be fresh for each sign-in.
type AuthorizationRequest struct {
	State string
	// Nonce comes back in the ID token (OpenID Connect Core section 3.1.2.1).
	Nonce string
	// CodeChallenge is the S256 challenge of RFC 7636 section 4.2.
	CodeChallenge string
	// Scopes are Graph's scopes, such as User.Read. The scopes of the sign-in itself are added.
	Scopes []string
	// Prompt is "", "select_account", "login" or "consent".
	Prompt string
	// Claims is a claims challenge that the sign-in has to meet (OpenID Connect Core section 5.5);
	// "" means none.
	Claims string
	// LoginHint fills in the user name; "" leaves the field empty.
	LoginHint string
}

// AuthorizationURL returns the URL of Entra's sign-in, with response_mode query. It needs the
// discovery document, so it may fail like [Client.Check].
func (c *Client) AuthorizationURL(ctx context.Context, req AuthorizationRequest) (string, error) {
	if req.State == "" || req.Nonce == "" || req.CodeChallenge == "" {
		return "", errors.New("entra: an authorization request needs a state, a nonce and a code challenge")
	}
	found, _, err := c.discover(ctx)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{
		oauth2.SetAuthURLParam("response_mode", "query"),
		oauth2.SetAuthURLParam("nonce", req.Nonce),
		oauth2.SetAuthURLParam("code_challenge", req.CodeChallenge),
		oauth2.SetAuthURLParam("code_challenge_method", "S256"),
	}
	if req.Prompt != "" {
		options = append(options, oauth2.SetAuthURLParam("prompt", req.Prompt))
	}
	if req.Claims != "" {
		options = append(options, oauth2.SetAuthURLParam("claims", req.Claims))
	}
	// Entra refuses a login hint together with the account picker.
	if req.LoginHint != "" && req.Prompt != "select_account" {
		options = append(options, oauth2.SetAuthURLParam("login_hint", req.LoginHint))
	}
	config := c.oauth(found)
	config.Scopes = withSignInScopes(req.Scopes)
	return config.AuthCodeURL(req.State, options...), nil
}

func (c *Client) oauth(found *discovered) *oauth2.Config {
	return &oauth2.Config{
		ClientID:    c.cfg.ClientID,
		RedirectURL: c.cfg.RedirectURI,
		Endpoint: oauth2.Endpoint{
			AuthURL:   found.AuthorizationEndpoint,
			TokenURL:  found.TokenEndpoint,
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}

func withSignInScopes(scopes []string) []string {
	all := slices.Clone(signInScopes)
	for _, scope := range scopes {
		if !slices.Contains(all, scope) {
			all = append(all, scope)
		}
	}
	return all
}
