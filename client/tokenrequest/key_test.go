package tokenrequest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
)

func newECKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	require.NoError(t, err)
	return key
}

func pkcs8(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return pemBlock("PRIVATE KEY", der)
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestAssertionAuthenticatesClient(t *testing.T) {
	t.Parallel()
	ecKey := newECKey(t, elliptic.P256())
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	require.NoError(t, err)
	pkcs1 := x509.MarshalPKCS1PrivateKey(rsaKey)
	ecPublic := &ecKey.PublicKey
	rsaPublic := &rsaKey.PublicKey
	for _, c := range []struct {
		name      string
		pem       []byte
		algorithm string
		accepted  []string
		public    any
		want      jose.SignatureAlgorithm
	}{
		{"elliptic curve", pkcs8(t, ecKey), "", nil, ecPublic, jose.ES256},
		{"SEC 1", pemBlock("EC PRIVATE KEY", sec1), "ES256", nil, ecPublic, jose.ES256},
		{"RSA", pkcs8(t, rsaKey), "", nil, rsaPublic, jose.PS256},
		{"RSA by the server's choice", pkcs8(t, rsaKey), "", []string{"ES256", "RS256"}, rsaPublic, jose.RS256},
		{"RSA by the user's choice", pkcs8(t, rsaKey), "RS256", nil, rsaPublic, jose.RS256},
		{"PKCS #1", pemBlock("RSA PRIVATE KEY", pkcs1), "PS256", []string{"PS256"}, rsaPublic, jose.PS256},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			key, err := tokenrequest.ReadKey(c.pem, c.algorithm, "key-1")
			require.NoError(t, err)
			i := newFakeIssuer(t, 200, tokenJSON)
			endpoint := i.endpoint(tokenrequest.Client{ID: "f5a3", AuthMethod: "private_key_jwt"})
			endpoint.Key = key
			endpoint.Issuer = "https://login.example.com"
			endpoint.SigningAlgs = c.accepted
			_, err = endpoint.ClientCredentials(t.Context(), []string{"a", "b"}, "https://mcp.example.com/mcp")
			require.NoError(t, err)
			assertion := i.form.Get("client_assertion")
			i.form.Del("client_assertion")
			assert.Equal(t, url.Values{
				"grant_type":            {"client_credentials"},
				"scope":                 {"a b"},
				"resource":              {"https://mcp.example.com/mcp"},
				"client_id":             {"f5a3"},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			}, i.form)
			parsed, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{c.want})
			require.NoError(t, err)
			var claims jwt.Claims
			require.NoError(t, parsed.Claims(c.public, &claims))
			require.NoError(t, claims.ValidateWithLeeway(jwt.Expected{
				Issuer:      "f5a3",
				Subject:     "f5a3",
				AnyAudience: []string{"https://login.example.com"},
				Time:        noon(),
			}, 0))
			assert.Len(t, claims.Audience, 1)
			assert.LessOrEqual(t, claims.Expiry.Time().Sub(noon()), 5*time.Minute)
			assert.Equal(t, "key-1", parsed.Headers[0].KeyID)

			_, err = endpoint.ClientCredentials(t.Context(), nil, "")
			require.NoError(t, err)
			parsed, err = jwt.ParseSigned(i.form.Get("client_assertion"), []jose.SignatureAlgorithm{c.want})
			require.NoError(t, err)
			var others jwt.Claims
			require.NoError(t, parsed.Claims(c.public, &others))
			assert.NotEqual(t, claims.ID, others.ID, "each assertion is for one request")
			assert.False(t, i.form.Has("scope"))
		})
	}
}

// TestAssertionNamesCertificate checks the header by which Entra ID finds a key.
func TestAssertionNamesCertificate(t *testing.T) {
	t.Parallel()
	ecKey := newECKey(t, elliptic.P256())
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &ecKey.PublicKey, ecKey)
	require.NoError(t, err)
	key, err := tokenrequest.ReadKey(append(pemBlock("CERTIFICATE", der), pkcs8(t, ecKey)...), "", "")
	require.NoError(t, err)
	i := newFakeIssuer(t, 200, tokenJSON)
	endpoint := i.endpoint(tokenrequest.Client{ID: "f5a3", AuthMethod: "private_key_jwt"})
	endpoint.Key = key
	_, err = endpoint.ClientCredentials(t.Context(), nil, "")
	require.NoError(t, err)
	parsed, err := jwt.ParseSigned(i.form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
	require.NoError(t, err)
	sum := sha256.Sum256(der)
	thumbprint := base64.RawURLEncoding.EncodeToString(sum[:])
	assert.Equal(t, thumbprint, parsed.Headers[0].ExtraHeaders["x5t#S256"])
}

func TestReadKeyRefuses(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024) // #nosec G403 -- ReadKey has to refuse it
	require.NoError(t, err)
	ecKey := pkcs8(t, newECKey(t, elliptic.P256()))
	secret := []byte("secret-1")
	for _, c := range []struct {
		name      string
		pem       []byte
		algorithm string
		text      string
	}{
		{"empty file", nil, "", "got none"},
		{"certificate alone", pemBlock("CERTIFICATE", []byte{0, 0, 0}), "", "got none"},
		{"malformed key", pemBlock("PRIVATE KEY", secret), "", "got other bytes"},
		{"encrypted key", pemBlock("ENCRYPTED PRIVATE KEY", secret), "", "without a passphrase"},
		{"RSA key of 1024 bits", pkcs8(t, weak), "", "at least 2048 bits"},
		{"P-384", pkcs8(t, newECKey(t, elliptic.P384())), "", "P-256, got P-384"},
		{"algorithm of RSA", ecKey, "RS256", `got "RS256"`},
		{"algorithm none", ecKey, "none", `got "none"`},
		{"symmetric algorithm", ecKey, "HS256", `got "HS256"`},
		{"control characters", ecKey, "\x1b[2J", `got "?[2J"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := tokenrequest.ReadKey(c.pem, c.algorithm, "")
			require.ErrorContains(t, err, c.text)
			assert.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestKeyRefusesServerWithOtherAlgorithms(t *testing.T) {
	t.Parallel()
	key, err := tokenrequest.ReadKey(pkcs8(t, newECKey(t, elliptic.P256())), "", "")
	require.NoError(t, err)
	i := newFakeIssuer(t, 200, tokenJSON)
	endpoint := i.endpoint(tokenrequest.Client{ID: "f5a3", AuthMethod: "private_key_jwt"})
	endpoint.Key = key
	endpoint.SigningAlgs = []string{"EdDSA"}
	_, err = endpoint.ClientCredentials(t.Context(), nil, "")
	require.ErrorContains(t, err, "want a key for EdDSA")
	assert.Zero(t, i.requests)
}
