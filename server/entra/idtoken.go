package entra

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mcpentra/server/token"
)

// IDTokenError means that the ID token is not what the sign-in asked for: the sign-in must not be
// believed. Err is a [*token.InvalidError] or says which claim is wrong.
type IDTokenError struct {
	Err error
}

func (e *IDTokenError) Error() string { return fmt.Sprintf("the ID token is refused: %v", e.Err) }

func (e *IDTokenError) Unwrap() error { return e.Err }

// idTokenLeeway is what Microsoft's own libraries tolerate.
const idTokenLeeway = 5 * time.Minute

// verifyIDToken checks an ID token (OpenID Connect Core section 3.1.3.7). At a refresh there is no
// nonce to compare (section 12.2).
func (c *Client) verifyIDToken(ctx context.Context, raw, nonce string) (User, error) {
	if raw == "" {
		return User{}, &IDTokenError{errors.New("there is none in the answer")}
	}
	found, keys, err := c.discover(ctx)
	if err != nil {
		return User{}, err
	}
	verifier := &token.Verifier{
		Issuer: found.Issuer, Audiences: []string{c.cfg.ClientID}, Algorithms: []string{string(jose.RS256)}, Types: []string{"JWT"},
		Keys: c.trusted(keys.Keys), Now: c.now, Leeway: idTokenLeeway,
	}
	verified, err := verifier.Verify(ctx, raw)
	if err != nil {
		return User{}, keysError(err)
	}
	var claims struct {
		attributeClaims
		TenantID string `json:"tid"`
		ObjectID string `json:"oid"`
		Nonce    string `json:"nonce"`
		Name     string `json:"name"`
		Username string `json:"preferred_username"`
	}
	if err := verified.Decode(&claims); err != nil {
		return User{}, &IDTokenError{&token.InvalidError{Reason: token.BadClaims}}
	}
	switch {
	case len(verified.Audience) != 1:
		return User{}, &IDTokenError{errors.New("it has another audience beside this application")}
	case claims.TenantID != found.tenantID:
		return User{}, &IDTokenError{errors.New("the tenant is not the configured one")}
	case !guid.MatchString(claims.ObjectID):
		return User{}, &IDTokenError{errors.New("there is no object id of the user")}
	case nonce != "" && subtle.ConstantTimeCompare([]byte(claims.Nonce), []byte(nonce)) != 1:
		return User{}, &IDTokenError{errors.New("the nonce is not that of this sign-in")}
	}
	return User{
		Issuer: verified.Issuer, TenantID: claims.TenantID, ObjectID: claims.ObjectID,
		Name: claims.Name, Username: claims.Username,
		Attributes: claims.ofPerson(c.ownProvider(claims.TenantID)),
	}, nil
}

// trusted leaves out keys whose private halves are public knowledge.
func (c *Client) trusted(keys token.KeySource) token.KeySource {
	if c.cfg.TrustPublicFakeKeys {
		return keys
	}
	var judged judgedKeys
	return func(ctx context.Context, kid string, issued time.Time) ([]jose.JSONWebKey, error) {
		found, err := keys(ctx, kid, issued)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(found, judged.isPublicFake) {
			return found, nil
		}
		var trusted []jose.JSONWebKey
		for _, key := range found {
			if judged.isPublicFake(key) {
				c.log.Error("a key of the fake issuer is refused: everybody knows its private half", "kid", key.KeyID)
				continue
			}
			trusted = append(trusted, key)
		}
		if len(trusted) == 0 {
			return nil, token.ErrUnknownKey
		}
		return trusted, nil
	}
}

// keysError turns the verdicts of package token into this package's.
func keysError(err error) error {
	var invalid *token.InvalidError
	var unavailable *token.UnavailableError
	switch {
	case errors.As(err, &invalid):
		return &IDTokenError{invalid}
	case errors.As(err, &unavailable):
		return &UnavailableError{Op: "keys", RetryAfter: unavailable.RetryAfter, Err: unavailable.Err}
	}
	return &UnavailableError{Op: "keys", Err: err}
}
