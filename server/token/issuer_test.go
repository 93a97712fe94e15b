package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"mcpentra/server/token"
)

const (
	issuerName = "https://login.microsoftonline.com/5a1e0001-0000-4000-8000-000000000001/v2.0"
	audience   = "https://mcp.example/mcp"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return newRSAKey(2048) })

var ecKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

func newRSAKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// verifier trusts the RSA key under the id "one" and the EC key under "two".
func verifier() *token.Verifier {
	return &token.Verifier{
		Issuer:     issuerName,
		Audiences:  []string{audience},
		Algorithms: []string{"RS256", "ES256"},
		Now:        clock,
		Keys: token.StaticKeys(
			jose.JSONWebKey{Key: rsaKey().Public(), KeyID: "one"},
			jose.JSONWebKey{Key: ecKey().Public(), KeyID: "two"},
		),
	}
}

// goodClaims are those of a token that passes, with the changes; nil removes a claim.
func goodClaims(changes map[string]any) map[string]any {
	claims := map[string]any{
		"iss": issuerName,
		"aud": audience,
		"sub": "user",
		"iat": noon.Unix() - 60,
		"nbf": noon.Unix() - 60,
		"exp": noon.Unix() + 3600,
		"scp": "user.read",
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return claims
}

func mint(t testing.TB, changes map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(goodClaims(changes))
	require.NoError(t, err)
	return signRS256(t, `{"alg":"RS256","kid":"one","typ":"JWT"}`, string(payload))
}

// signRS256 signs a header and a payload exactly as they are written.
func signRS256(t testing.TB, header, payload string) string {
	t.Helper()
	return signWith(t, rsaKey(), header, payload)
}

func signWith(t testing.TB, key *rsa.PrivateKey, header, payload string) string {
	t.Helper()
	input := encode(header) + "." + encode(payload)
	return input + "." + encode(pkcs1(t, key, input))
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func part(raw string, i int) string { return strings.Split(raw, ".")[i] }
