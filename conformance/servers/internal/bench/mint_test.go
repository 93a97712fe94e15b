package bench_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/servers/internal/bench"
)

const goodClaims = `{"aud":"us","exp":1700000000,"iss":"them"}`

// newMint signs a good token with a new key. It returns the key, and a Mint that edits the token.
func newMint(t *testing.T) (*ecdsa.PrivateKey, bench.Mint) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: key},
		(&jose.SignerOptions{}).WithType("at+jwt"),
	)
	require.NoError(t, err)
	signed, err := signer.Sign([]byte(goodClaims))
	require.NoError(t, err)
	good, err := signed.CompactSerialize()
	require.NoError(t, err)
	return key, bench.Remint(key, func(context.Context) (string, error) { return good, nil })
}

// verify returns the claims of a token, as another library verifies and reads them.
func verify(t *testing.T, token string, algorithm jose.SignatureAlgorithm, key any) string {
	t.Helper()
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{algorithm})
	require.NoError(t, err)
	claims, err := parsed.Verify(key)
	require.NoError(t, err)
	return string(claims)
}

func TestRemintWithoutEditsIsGood(t *testing.T) {
	t.Parallel()
	key, mint := newMint(t)
	token, err := mint(t.Context(), bench.Edits{})
	require.NoError(t, err)
	assert.JSONEq(t, goodClaims, verify(t, token, jose.ES256, &key.PublicKey))
	assert.Contains(t, verify(t, token, jose.ES256, &key.PublicKey), "1700000000", "a number stays as it is written")
}

func TestRemintSignsWithEveryAlgorithm(t *testing.T) {
	t.Parallel()
	_, mint := newMint(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	secret := []byte(strings.Repeat("s", 64))
	for _, test := range []struct {
		algorithm       jose.SignatureAlgorithm
		signs, verifies any
	}{
		{jose.RS256, rsaKey, &rsaKey.PublicKey},
		{jose.RS384, rsaKey, &rsaKey.PublicKey},
		{jose.RS512, rsaKey, &rsaKey.PublicKey},
		{jose.PS256, rsaKey, &rsaKey.PublicKey},
		{jose.PS384, rsaKey, &rsaKey.PublicKey},
		{jose.PS512, rsaKey, &rsaKey.PublicKey},
		{jose.HS256, secret, secret},
		{jose.HS384, secret, secret},
		{jose.HS512, secret, secret},
		{jose.EdDSA, private, public},
	} {
		token, err := mint(t.Context(), bench.Edits{Algorithm: string(test.algorithm), Key: test.signs})
		require.NoError(t, err, test.algorithm)
		assert.JSONEq(t, goodClaims, verify(t, token, test.algorithm, test.verifies), test.algorithm)
	}
	for _, test := range []struct {
		algorithm jose.SignatureAlgorithm
		curve     elliptic.Curve
	}{
		{jose.ES256, elliptic.P256()},
		{jose.ES384, elliptic.P384()},
		{jose.ES512, elliptic.P521()},
	} {
		key, err := ecdsa.GenerateKey(test.curve, rand.Reader)
		require.NoError(t, err)
		token, err := mint(t.Context(), bench.Edits{Algorithm: string(test.algorithm), Key: key})
		require.NoError(t, err, test.algorithm)
		assert.JSONEq(t, goodClaims, verify(t, token, test.algorithm, &key.PublicKey), test.algorithm)
	}
}

func TestRemintEdits(t *testing.T) {
	t.Parallel()
	key, mint := newMint(t)
	token, err := mint(t.Context(), bench.Edits{
		Header:     func(h map[string]any) { h["kid"] = "k" },
		HeaderText: func(text []byte) []byte { return append([]byte{'\n'}, text...) },
		Claims:     func(c map[string]any) { delete(c, "exp") },
		ClaimsText: func(text []byte) []byte { return append(text, '\n') },
	})
	require.NoError(t, err)
	assert.Equal(t, "{\"aud\":\"us\",\"iss\":\"them\"}\n", verify(t, token, jose.ES256, &key.PublicKey))
	header, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	require.NoError(t, err)
	assert.Equal(t, "\n{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"at+jwt\"}", string(header))

	token, err = mint(t.Context(), bench.Edits{Signature: func([]byte) []byte { return []byte{1} }})
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(token, ".AQ"))

	token, err = mint(t.Context(), bench.Edits{Algorithm: "none"})
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(token, "."))
}

func TestRemintRefuses(t *testing.T) {
	t.Parallel()
	key, mint := newMint(t)
	for _, test := range []struct {
		algorithm string
		key       any
	}{
		{"ES999", nil},
		{"RS256", nil},
		{"HS256", nil},
		{"XX256", nil},
		{"EdDSA", nil},
		{"", "a text"},
	} {
		_, err := mint(t.Context(), bench.Edits{Algorithm: test.algorithm, Key: test.key})
		assert.ErrorContains(t, err, "remint: ", test.algorithm)
	}
	for _, test := range []struct {
		token string
		err   error
	}{
		{"opaque", nil},
		{"a.b.c", nil},
		{"e30.b%.c", nil},
		{"", errors.New("the vault is shut")},
	} {
		supply := func(context.Context) (string, error) { return test.token, test.err }
		_, err := bench.Remint(key, supply)(t.Context(), bench.Edits{})
		assert.Error(t, err, test.token)
	}
}

func TestRemintSignsEncodedParts(t *testing.T) {
	t.Parallel()
	key, mint := newMint(t)
	token, err := mint(t.Context(), bench.Edits{Encoded: func(input string) string { return input + "==" }})
	require.NoError(t, err)
	input := token[:strings.LastIndexByte(token, '.')]
	assert.True(t, strings.HasSuffix(input, "=="))
	signature, err := base64.RawURLEncoding.DecodeString(token[len(input)+1:])
	require.NoError(t, err)
	digest := sha256.Sum256([]byte(input))
	r := new(big.Int).SetBytes(signature[:32])
	s := new(big.Int).SetBytes(signature[32:])
	assert.True(t, ecdsa.Verify(&key.PublicKey, digest[:], r, s))
}
