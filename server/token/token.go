package token

import (
	"context"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Verifier holds the rules that a token has to meet.
type Verifier struct {
	Issuer     string
	Audiences  []string
	Algorithms []string
	Types      []string
	Keys       KeySource
	Now        func() time.Time
	Leeway     time.Duration
}

// KeySource finds the keys that may have signed a token.
type KeySource func(ctx context.Context, kid string, issued time.Time) ([]jose.JSONWebKey, error)

// ErrUnknownKey says that the issuer has no such key.
var ErrUnknownKey = errors.New("token: unknown key")

// Claims are the claims of a verified token.
type Claims struct {
	Issuer, Subject, ID         string
	Audience                    []string
	Expiry, NotBefore, IssuedAt time.Time
	KeyID, Algorithm, Type      string
}

// Decode puts the verified payload into v.
func (c *Claims) Decode(v any) error { return errors.ErrUnsupported }

// Verify checks raw.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Claims, error) {
	return nil, &InvalidError{}
}

// StaticKeys is a source of fixed keys.
func StaticKeys(keys ...jose.JSONWebKey) KeySource {
	return func(context.Context, string, time.Time) ([]jose.JSONWebKey, error) { return keys, nil }
}
