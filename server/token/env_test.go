package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/token"
)

const (
	issuerName = "https://login.microsoftonline.com/5a1e0001-0000-4000-8000-000000000001/v2.0"
	audience   = "https://mcp.example/mcp"
)

// This file holds the environment of the package's tests:
//
//   - verifier makes a Verifier that trusts two keys; mint and signRS256 make its tokens.
//   - newKeyServer starts a server of keys with a clock, for a Remote.
//   - reasonOf and wantUnavailable check errors.

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

// verifier makes a verifier that trusts the RSA key under the ID "one" and the EC key under "two".
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

// goodClaims returns the claims of a good token with changes. A nil removes a claim.
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

// mint returns a signed token with the claims of goodClaims.
func mint(t testing.TB, changes map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(goodClaims(changes))
	require.NoError(t, err)
	return signRS256(t, `{"alg":"RS256","kid":"one","typ":"JWT"}`, string(payload))
}

// signRS256 signs a header and a payload exactly as written.
func signRS256(t testing.TB, header, payload string) string {
	t.Helper()
	return signWith(t, rsaKey(), header, payload)
}

// signWith does the same with another key.
func signWith(t testing.TB, key *rsa.PrivateKey, header, payload string) string {
	t.Helper()
	input := encode(header) + "." + encode(payload)
	return input + "." + encode(pkcs1(t, key, input))
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// part returns one of the three parts of a token.
func part(raw string, i int) string { return strings.Split(raw, ".")[i] }

// pkcs1 returns a PKCS #1 v1.5 signature.
func pkcs1(t testing.TB, key *rsa.PrivateKey, input string) string {
	t.Helper()
	digest := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	require.NoError(t, err)
	return string(signature)
}

// reasonOf returns the reason of an InvalidError, and fails the test for any other error.
func reasonOf(t *testing.T, err error) token.Reason {
	t.Helper()
	var invalid *token.InvalidError
	require.ErrorAs(t, err, &invalid)
	return invalid.Reason
}

// spareBits changes a bit of the last character that belongs to no byte.
func spareBits(raw string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, raw[len(raw)-1])
	return raw[:len(raw)-1] + string(alphabet[last^1])
}

// flipSignature changes a bit of the signature.
func flipSignature(raw string) string {
	signature, err := base64.RawURLEncoding.DecodeString(part(raw, 2))
	if err != nil {
		panic(err)
	}
	signature[len(signature)/2] ^= 1
	return part(raw, 0) + "." + part(raw, 1) + "." + encode(string(signature))
}

// privateMembers returns the document of a private key that was published by mistake.
func privateMembers(t *testing.T) string {
	t.Helper()
	encoded, err := json.Marshal(jose.JSONWebKey{Key: rsaKey(), KeyID: "x"})
	require.NoError(t, err)
	return string(encoded)
}

// rocaMembers returns the members of a key of the faulty generator: its modulus is 1 modulo all
// small primes.
func rocaMembers(t *testing.T) string {
	t.Helper()
	small := big.NewInt(1)
	for candidate := int64(2); candidate < 170; candidate++ {
		if big.NewInt(candidate).ProbablyPrime(20) {
			small.Mul(small, big.NewInt(candidate))
		}
	}
	modulus := new(big.Int).Lsh(big.NewInt(1), 2047)
	modulus.Sub(modulus, new(big.Int).Mod(modulus, small)).Add(modulus, small).Add(modulus, big.NewInt(1))
	encoded, err := json.Marshal(jose.JSONWebKey{Key: &rsa.PublicKey{N: modulus, E: 65537}})
	require.NoError(t, err)
	return strings.Trim(string(encoded), "{}")
}

// keyServer publishes a key set that a test can change, and counts the requests.
type keyServer struct {
	*httptest.Server
	fetches atomic.Int64
	mu      sync.Mutex
	handle  http.HandlerFunc
	now     time.Time
}

func newKeyServer(t *testing.T) *keyServer {
	t.Helper()
	s := &keyServer{now: noon}
	s.publish("one")
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fetches.Add(1)
		s.mu.Lock()
		handle := s.handle
		s.mu.Unlock()
		handle(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// answer replaces the handler.
func (s *keyServer) answer(handle http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handle = handle
}

// publish makes the server answer with the same RSA key under several IDs.
func (s *keyServer) publish(kids ...string) {
	s.answer(func(w http.ResponseWriter, _ *http.Request) {
		set := jose.JSONWebKeySet{}
		for _, kid := range kids {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: rsaKey().Public(), KeyID: kid, Use: "sig"})
		}
		_ = json.MarshalWrite(w, set)
	})
}

// down makes the server fail.
func (s *keyServer) down() {
	s.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
}

func (s *keyServer) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// pass moves the clock.
func (s *keyServer) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// remote makes a Remote of the server.
func (s *keyServer) remote() *token.Remote {
	return &token.Remote{URL: s.URL, HTTPClient: s.Client(), Now: s.clock}
}

// wantUnavailable wants an UnavailableError whose RetryAfter is from a second to atMost.
func wantUnavailable(t *testing.T, err error, atMost time.Duration) {
	t.Helper()
	var unavailable *token.UnavailableError
	require.ErrorAs(t, err, &unavailable)
	assert.GreaterOrEqual(t, unavailable.RetryAfter, time.Second)
	assert.LessOrEqual(t, unavailable.RetryAfter, atMost)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// writing returns a handler that answers every request with a text.
func writing(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
}

// serving returns a handler that answers every request with a key set.
func serving(keys ...jose.JSONWebKey) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		_ = json.MarshalWrite(w, jose.JSONWebKeySet{Keys: keys})
	}
}
