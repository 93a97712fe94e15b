package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/servers"
)

// TestReadIssuerKeyAcceptsForms reads each form of a private key in PEM.
func TestReadIssuerKeyAcceptsForms(t *testing.T) {
	t.Parallel()
	short, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(curve)
	require.NoError(t, err)
	sec1, err := x509.MarshalECPrivateKey(curve)
	require.NoError(t, err)
	for _, form := range []struct {
		name string
		kind string
		der  []byte
		want crypto.PublicKey
	}{
		{"PKCS 8", "PRIVATE KEY", pkcs8, curve.Public()},
		{"PKCS 1", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(short), short.Public()},
		{"SEC 1", "EC PRIVATE KEY", sec1, curve.Public()},
	} {
		key, err := readIssuerKey(keyFile(t, form.kind, form.der), "")
		require.NoError(t, err, form.name)
		assert.Equal(t, form.want, key.(crypto.Signer).Public(), form.name)
	}
	_, err = readIssuerKey(keyFile(t, "CERTIFICATE", []byte("none")), "")
	assert.ErrorContains(t, err, "want a PEM file with a private key")
	_, err = readIssuerKey(filepath.Join(t.TempDir(), "missing"), "")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// TestReadIssuerKeyAcceptsSecret reads each form of a secret. The good token shows which form it
// is.
func TestReadIssuerKeyAcceptsSecret(t *testing.T) {
	t.Parallel()
	secret := []byte("a secret of thirty-two bytes or so\n")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, nil)
	require.NoError(t, err)
	signed, err := signer.Sign([]byte(`{"iss":"them","aud":"us","exp":1}`))
	require.NoError(t, err)
	good, err := signed.CompactSerialize()
	require.NoError(t, err)
	for name, text := range map[string]string{
		"as it is":  string(secret),
		"base64":    base64.StdEncoding.EncodeToString(secret) + "\n",
		"base64url": base64.RawURLEncoding.EncodeToString(secret),
	} {
		file := filepath.Join(t.TempDir(), "secret")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		key, err := readIssuerKey(file, good)
		require.NoError(t, err, name)
		assert.Equal(t, secret, key, name)
	}
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte("another"), 0o600))
	_, err = readIssuerKey(file, good)
	assert.ErrorContains(t, err, "want a private key in PEM, or the secret that signs the good token")
}

// TestMintTokensChangesGoodToken wants tokens with one flaw each. A token from a file stays.
func TestMintTokensChangesGoodToken(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	file := keyFile(t, "EC PRIVATE KEY", der)
	target := &servers.Target{Tokens: map[servers.TokenKind]func(context.Context) (string, error){}}
	require.ErrorContains(t, mintTokens(t.Context(), target, file), "--token-file")

	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	require.NoError(t, err)
	signed, err := signer.Sign([]byte(`{"iss":"them","aud":"us","exp":1}`))
	require.NoError(t, err)
	good, err := signed.CompactSerialize()
	require.NoError(t, err)
	target.Tokens[servers.Good] = func(context.Context) (string, error) { return good, nil }
	target.Tokens[servers.Expired] = func(context.Context) (string, error) { return "from a file", nil }
	require.NoError(t, mintTokens(t.Context(), target, file))
	foreign, err := target.Tokens[servers.ForeignIssuer](t.Context())
	require.NoError(t, err)
	parsed, err := jose.ParseSignedCompact(foreign, []jose.SignatureAlgorithm{jose.ES256})
	require.NoError(t, err)
	claims, err := parsed.Verify(key.Public())
	require.NoError(t, err)
	assert.JSONEq(t, `{"iss":"https://other.example","aud":"us","exp":1}`, string(claims))
	expired, err := target.Tokens[servers.Expired](t.Context())
	require.NoError(t, err)
	assert.Equal(t, "from a file", expired, "a token from a file stays")
}

func keyFile(t *testing.T, kind string, der []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return name
}
