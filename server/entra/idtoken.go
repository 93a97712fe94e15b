package entra

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mcpentra/server/identity"
	"mcpentra/server/token"
)

// IDTokenError means that the ID token is not the answer to this sign-in, which must fail. Err is a
// [*token.InvalidError] or says which claim is wrong.
type IDTokenError struct {
	Err error
}

func (e *IDTokenError) Error() string { return fmt.Sprintf("the ID token is refused: %v", e.Err) }

func (e *IDTokenError) Unwrap() error { return e.Err }

// idTokenLeeway is the clock skew that Microsoft's own libraries tolerate.
const idTokenLeeway = 5 * time.Minute

// verifyIDToken verifies an ID token (OpenID Connect Core section 3.1.3.7). A refresh has no nonce
// (section 12.2).
func (c *Client) verifyIDToken(ctx context.Context, raw, nonce string) (User, error) {
	if raw == "" {
		return User{}, &IDTokenError{errors.New("the answer has no ID token")}
	}
	found, keys, err := c.discover(ctx)
	if err != nil {
		return User{}, err
	}
	verifier := &token.Verifier{
		Issuer:     found.Issuer,
		Audiences:  []string{c.cfg.ClientID},
		Algorithms: []string{string(jose.RS256)},
		Types:      []string{"JWT"},
		Keys:       c.trusted(keys.Keys),
		Now:        c.now,
		Leeway:     idTokenLeeway,
	}
	verified, err := verifier.Verify(ctx, raw)
	if err != nil {
		return User{}, keysError(err)
	}
	var claims struct {
		attributeClaims
		Version  string `json:"ver"`
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
		return User{}, &IDTokenError{errors.New("it has another audience besides this application")}
	case claims.TenantID != found.tenantID:
		return User{}, &IDTokenError{errors.New("the tenant is not the configured one")}
	case claims.Version != "2.0":
		return User{}, &IDTokenError{errors.New("the version (ver) is not 2.0, although the v2 endpoint was asked")}
	case verified.Subject == "":
		return User{}, &IDTokenError{errors.New("the subject (sub) is missing")}
	case !guid.MatchString(claims.ObjectID):
		return User{}, &IDTokenError{errors.New("the user's object id (oid) is missing")}
	case nonce != "" && subtle.ConstantTimeCompare([]byte(claims.Nonce), []byte(nonce)) != 1:
		return User{}, &IDTokenError{errors.New("the nonce belongs to another sign-in")}
	}
	return User{
		Principal: identity.Principal{
			Issuer:   verified.Issuer,
			TenantID: claims.TenantID,
			ObjectID: claims.ObjectID,
		},
		Name:       claims.Name,
		Username:   claims.Username,
		Attributes: claims.ofPerson(c.ownProvider(claims.TenantID)),
	}, nil
}

// trusted filters out the fake's keys, whose private halves are public, unless the fake is trusted.
func (c *Client) trusted(keys token.KeySource) token.KeySource {
	if c.trustsFake() {
		return c.warning(keys)
	}
	var seen fakeKeys
	return func(ctx context.Context, kid string, issued time.Time) ([]jose.JSONWebKey, error) {
		found, err := keys(ctx, kid, issued)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(found, seen.contains) {
			return found, nil
		}
		var trusted []jose.JSONWebKey
		for _, key := range found {
			if !seen.contains(key) {
				trusted = append(trusted, key)
				continue
			}
			c.log.Error("a key of the fake issuer is refused: its private half is public", "kid", key.KeyID,
				"authority", c.deployment.authority, "setting", trustSetting)
		}
		if len(trusted) == 0 {
			return nil, token.ErrUnknownKey
		}
		return trusted, nil
	}
}

// trustSetting tells the operator how to trust a fake that is not on loopback.
const trustSetting = "AUTH_AUTHORITY; entra.Config.TrustPublicFakeKeys or --trust-public-fake-keys trusts the fake"

// trustsFake reports whether the fake's keys are trusted: always on loopback, where only this
// machine answers, and elsewhere if the Config says so.
func (c *Client) trustsFake() bool { return c.cfg.TrustPublicFakeKeys || c.deployment.loopback }

// warning returns a source of the same keys that warns once if one of them is the fake's.
func (c *Client) warning(keys token.KeySource) token.KeySource {
	var seen fakeKeys
	return func(ctx context.Context, kid string, issued time.Time) ([]jose.JSONWebKey, error) {
		found, err := keys(ctx, kid, issued)
		c.warnOfFake(found, seen.contains)
		return found, err
	}
}

// warnOfFake warns once if one of the keys is the fake's.
func (c *Client) warnOfFake(keys []jose.JSONWebKey, isFake func(jose.JSONWebKey) bool) {
	if c.warnedOfFake.Load() || !slices.ContainsFunc(keys, isFake) {
		return
	}
	if c.warnedOfFake.CompareAndSwap(false, true) {
		c.log.Warn("the issuer is the fake, and its signing keys are public: every program can sign in as any person",
			"authority", c.deployment.authority)
	}
}

// keysError turns the errors of package token into this package's.
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
