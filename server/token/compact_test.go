package token_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/token"
)

func TestVerifyRefusesHMACWithPublicKey(t *testing.T) {
	t.Parallel()
	der, err := x509.MarshalPKIXPublicKey(rsaKey().Public())
	require.NoError(t, err)
	payload, err := json.Marshal(goodClaims(nil))
	require.NoError(t, err)
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	for name, secret := range map[string][]byte{
		"SPKI in PEM":                    block,
		"SPKI in PEM without line break": []byte(strings.TrimSpace(string(block))),
		"SPKI in DER":                    der,
		"PKCS 1":                         x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey),
		"modulus":                        rsaKey().N.Bytes(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signer, err := jose.NewSigner(
				jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: secret, KeyID: "one"}},
				nil,
			)
			require.NoError(t, err)
			signed, err := signer.Sign(payload)
			require.NoError(t, err)
			raw, err := signed.CompactSerialize()
			require.NoError(t, err)
			lax := verifier()
			lax.Algorithms = append(lax.Algorithms, "HS256", "none")
			_, err = lax.Verify(t.Context(), raw)
			assert.Equal(t, token.AlgorithmNotAllowed, reasonOf(t, err), "in spite of the configuration")
		})
	}
}

// TestVerifyRefusesOtherForms verifies every form of an encrypted token, and floods of dots. Verify
// refuses them without decoding. The test counts allocations, so it is not parallel.
func TestVerifyRefusesOtherForms(t *testing.T) {
	encrypted := func(header string) string {
		parts := []string{header, "key", "iv", strings.Repeat("c", 4000), "tag"}
		for i, part := range parts {
			parts[i] = encode(part)
		}
		return strings.Join(parts, ".")
	}
	nested := "payload"
	for range 100 {
		nested = encode(nested[:min(len(nested), 100)])
	}
	for name, raw := range map[string]string{
		"RSA-OAEP":         encrypted(`{"alg":"RSA-OAEP","enc":"A256GCM","kid":"one"}`),
		"dir":              encrypted(`{"alg":"dir","enc":"A256GCM"}`),
		"billion rounds":   encrypted(`{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2c":2147483647,"p2s":"AAAA"}`),
		"compression bomb": encrypted(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`),
		"nested":           encrypted(`{"alg":"dir","enc":"A256GCM","cty":"JWT"}`) + nested,
		"thousand dots":    strings.Repeat(".", 1000),
		"million dots":     strings.Repeat(".", 1_000_000),
		"million letters":  strings.Repeat("a", 1_000_000),
		"eight megabytes":  "a." + strings.Repeat("a", 8<<20) + ".a",
	} {
		v := verifier()
		v.Keys = func(context.Context, string, time.Time) ([]jose.JSONWebKey, error) {
			t.Errorf("%s: Verify asked for a key", name)
			return nil, token.ErrUnknownKey
		}
		allocations := testing.AllocsPerRun(10, func() { _, _ = v.Verify(t.Context(), raw) })
		assert.LessOrEqual(t, allocations, 4.0, name)
		_, err := v.Verify(t.Context(), raw)
		assert.Contains(t, []token.Reason{token.NotThreeParts, token.Oversized}, reasonOf(t, err), name)
	}
}

func TestVerifySignature(t *testing.T) {
	t.Parallel()
	const header = `{"alg":"RS256","kid":"one"}`
	for _, payload := range []string{"", "no claims", `{"iss":"x","iss":"y"}`} {
		got, err := verifier().VerifySignature(t.Context(), signRS256(t, header, payload))
		require.NoError(t, err)
		assert.Equal(t, payload, string(got))
		_, err = verifier().VerifySignature(t.Context(), signWith(t, newRSAKey(2048), header, payload))
		assert.Equal(t, token.BadSignature, reasonOf(t, err))
	}
	_, err := (&token.Verifier{}).VerifySignature(t.Context(), signRS256(t, header, ""))
	var unavailable *token.UnavailableError
	assert.ErrorAs(t, err, &unavailable)
}
