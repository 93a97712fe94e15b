package acceptance_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
)

// An assertionKey is the key of a client that authenticates with private_key_jwt.
type assertionKey struct{ private *ecdsa.PrivateKey }

func newAssertionKey(t *testing.T) assertionKey {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return assertionKey{private}
}

func (k assertionKey) jwks() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: k.private.Public(), KeyID: "0", Algorithm: "ES256"}}}
}

// assertion returns an assertion of a client for the broker.
func (k assertionKey) assertion(t *testing.T, clientID string, now time.Time) string {
	key := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: k.private, KeyID: "0"}}
	signer, err := jose.NewSigner(key, nil)
	require.NoError(t, err)
	signed, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": clientID,
		"sub": clientID,
		"aud": issuer,
		"iat": now.Unix(),
		"exp": now.Add(time.Minute).Unix(),
		"jti": rand.Text(),
	}).Serialize()
	require.NoError(t, err)
	return signed
}
