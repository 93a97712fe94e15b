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

// issuer signs one good token with a key, and reminted is a Mint of it.
func reminted(t *testing.T) (*ecdsa.PrivateKey, bench.Mint) {
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

// verified is what a library that has nothing to do with ours reads of a token.
func verified(t *testing.T, token string, algorithm jose.SignatureAlgorithm, key any) string {
	t.Helper()
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{algorithm})
	require.NoError(t, err)
	claims, err := parsed.Verify(key)
	require.NoError(t, err)
	return string(claims)
}

func TestRemintWithoutEditsIsGood(t *testing.T) {
	t.Parallel()
	key, mint := reminted(t)
	token, err := mint(t.Context(), bench.Edits{})
	require.NoError(t, err)
	assert.JSONEq(t, goodClaims, verified(t, token, jose.ES256, &key.PublicKey))
	assert.Contains(t, verified(t, token, jose.ES256, &key.PublicKey), "1700000000", "a number stays as it is written")
}

func TestRemintSignsWithEveryAlgorithm(t *testing.T) {
	t.Parallel()
	_, mint := reminted(t)
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	secret := []byte(strings.Repeat("s", 64))
	tries := map[jose.SignatureAlgorithm][2]any{jose.EdDSA: {private, public}}
	for _, algorithm := range []jose.SignatureAlgorithm{
		jose.RS256,
		jose.RS384,
		jose.RS512,
		jose.PS256,
		jose.PS384,
		jose.PS512,
	} {
		tries[algorithm] = [2]any{weak, &weak.PublicKey}
	}
	for _, algorithm := range []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512} {
		tries[algorithm] = [2]any{secret, secret}
	}
	for algorithm, curve := range map[jose.SignatureAlgorithm]elliptic.Curve{
		jose.ES256: elliptic.P256(),
		jose.ES384: elliptic.P384(),
		jose.ES512: elliptic.P521(),
	} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		tries[algorithm] = [2]any{key, &key.PublicKey}
	}
	for algorithm, keys := range tries {
		token, err := mint(t.Context(), bench.Edits{Algorithm: string(algorithm), Key: keys[0]})
		require.NoError(t, err, algorithm)
		assert.JSONEq(t, goodClaims, verified(t, token, algorithm, keys[1]), algorithm)
	}
}

func TestRemintEdits(t *testing.T) {
	t.Parallel()
	key, mint := reminted(t)
	token, err := mint(t.Context(), bench.Edits{
		Header:     func(h map[string]any) { h["kid"] = "k" },
		HeaderText: func(text []byte) []byte { return append([]byte{'\n'}, text...) },
		Claims:     func(c map[string]any) { delete(c, "exp") },
		ClaimsText: func(text []byte) []byte { return append(text, '\n') },
	})
	require.NoError(t, err)
	assert.Equal(t, "{\"aud\":\"us\",\"iss\":\"them\"}\n", verified(t, token, jose.ES256, &key.PublicKey))
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

func TestRemintRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	key, mint := reminted(t)
	for algorithm, other := range map[string]any{
		"ES999": nil,
		"RS256": nil,
		"HS256": nil,
		"XX256": nil,
		"":      "a text",
		"EdDSA": nil,
	} {
		_, err := mint(t.Context(), bench.Edits{Algorithm: algorithm, Key: other})
		assert.ErrorContains(t, err, "remint: ", algorithm)
	}
	for token, supplyErr := range map[string]error{
		"opaque":   nil,
		"a.b.c":    nil,
		"e30.b%.c": nil,
		"":         errors.New("the vault is shut"),
	} {
		_, err := bench.Remint(
			key,
			func(context.Context) (string, error) { return token, supplyErr },
		)(t.Context(), bench.Edits{})
		assert.Error(t, err, token)
	}
}

func TestEncodedPartsAreSignedAsTheyAre(t *testing.T) {
	t.Parallel()
	key, mint := reminted(t)
	token, err := mint(t.Context(), bench.Edits{Encoded: func(input string) string { return input + "==" }})
	require.NoError(t, err)
	input := token[:strings.LastIndexByte(token, '.')]
	assert.True(t, strings.HasSuffix(input, "=="))
	signature, err := base64.RawURLEncoding.DecodeString(token[len(input)+1:])
	require.NoError(t, err)
	digest := sha256.Sum256([]byte(input))
	assert.True(
		t,
		ecdsa.Verify(
			&key.PublicKey,
			digest[:],
			new(big.Int).SetBytes(signature[:32]),
			new(big.Int).SetBytes(signature[32:]),
		),
	)
}
