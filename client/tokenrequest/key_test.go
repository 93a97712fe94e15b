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

func newEC(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	require.NoError(t, err)
	return key
}

func pkcs8(t *testing.T, key any) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestAssertionSaysWhoTheClientIsToOneIssuer(t *testing.T) {
	t.Parallel()
	ec := newEC(t, elliptic.P256())
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	sec1, err := x509.MarshalECPrivateKey(ec)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		pem    []byte
		alg    string
		taken  []string
		public any
		want   jose.SignatureAlgorithm
	}{
		"an elliptic curve":         {pkcs8(t, ec), "", nil, &ec.PublicKey, jose.ES256},
		"in SEC 1":                  {pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}), "ES256", nil, &ec.PublicKey, jose.ES256},
		"RSA":                       {pkcs8(t, big), "", nil, &big.PublicKey, jose.PS256},
		"RSA, as the server wants":  {pkcs8(t, big), "", []string{"ES256", "RS256"}, &big.PublicKey, jose.RS256},
		"RSA, as the operator said": {pkcs8(t, big), "RS256", nil, &big.PublicKey, jose.RS256},
		"in PKCS #1": {
			pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(big)}), "PS256", []string{"PS256"}, &big.PublicKey, jose.PS256,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, err := tokenrequest.ReadKey(c.pem, c.alg, "key-1")
			require.NoError(t, err)
			i := newIssuer(t, 200, issued)
			endpoint := i.endpoint(tokenrequest.Client{ID: "f5a3", AuthMethod: "private_key_jwt"})
			endpoint.Key = key
			endpoint.Issuer = "https://login.example.com"
			endpoint.SigningAlgs = c.taken
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
			again, err := jwt.ParseSigned(i.form.Get("client_assertion"), []jose.SignatureAlgorithm{c.want})
			require.NoError(t, err)
			var other jwt.Claims
			require.NoError(t, again.Claims(c.public, &other))
			assert.NotEqual(t, claims.ID, other.ID, "each is for one request")
			assert.False(t, i.form.Has("scope"))
		})
	}
}

// TestCertificateIsNamed since Entra ID knows keys by it.
func TestCertificateIsNamed(t *testing.T) {
	t.Parallel()
	ec := newEC(t, elliptic.P256())
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &ec.PublicKey, ec)
	require.NoError(t, err)
	key, err := tokenrequest.ReadKey(
		append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pkcs8(t, ec)...),
		"",
		"",
	)
	require.NoError(t, err)
	i := newIssuer(t, 200, issued)
	endpoint := i.endpoint(tokenrequest.Client{ID: "f5a3", AuthMethod: "private_key_jwt"})
	endpoint.Key = key
	_, err = endpoint.ClientCredentials(t.Context(), nil, "")
	require.NoError(t, err)
	parsed, err := jwt.ParseSigned(i.form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
	require.NoError(t, err)
	sum := sha256.Sum256(der)
	assert.Equal(t, base64.RawURLEncoding.EncodeToString(sum[:]), parsed.Headers[0].ExtraHeaders["x5t#S256"])
}

func TestKeysThatAreNotUsed(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024) // #nosec G403 -- it is to be refused
	require.NoError(t, err)
	ec := pkcs8(t, newEC(t, elliptic.P256()))
	for name, c := range map[string]struct {
		pem       []byte
		alg, says string
	}{
		"nothing":              {nil, "", "there is none"},
		"a public thing":       {[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "", "there is none"},
		"something else":       {pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret-1")}), "", "cannot be read"},
		"an encrypted key":     {pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("secret-1")}), "", "is encrypted"},
		"a weak key":           {pkcs8(t, weak), "", "at least 2048 bits"},
		"another curve":        {pkcs8(t, newEC(t, elliptic.P384())), "", "P-256, got P-384"},
		"another algorithm":    {ec, "RS256", "not for this key"},
		"no algorithm":         {ec, "none", "not for this key"},
		"a symmetric one":      {ec, "HS256", "not for this key"},
		"one for a\x1bconsole": {ec, "\x1b[2J", `"?[2J"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tokenrequest.ReadKey(c.pem, c.alg, "")
			if name == "one for a\x1bconsole" {
				require.ErrorContains(t, err, "?[2J")
				return
			}
			require.ErrorContains(t, err, c.says)
			assert.NotContains(t, err.Error(), "secret")
		})
	}
	key, err := tokenrequest.ReadKey(ec, "", "")
	require.NoError(t, err)
	i := newIssuer(t, 200, issued)
	endpoint := i.endpoint(tokenrequest.Client{ID: "f5a3", AuthMethod: "private_key_jwt"})
	endpoint.Key = key
	endpoint.SigningAlgs = []string{"EdDSA"}
	_, err = endpoint.ClientCredentials(t.Context(), nil, "")
	require.ErrorContains(t, err, "takes EdDSA")
	assert.Zero(t, i.asked)
}
