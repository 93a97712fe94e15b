package fakeentra_test

import (
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// clientAssertion signs a client assertion (RFC 7523), with some claims and header members changed;
// nil takes one away.
func clientAssertion(
	t *testing.T,
	key crypto.PrivateKey,
	algorithm jose.SignatureAlgorithm,
	header map[jose.HeaderKey]any,
	changes map[string]any,
) string {
	t.Helper()
	now := time.Now()
	payload := map[string]any{
		"iss": directory.DefaultClientID,
		"sub": directory.DefaultClientID,
		"aud": tenantURL + "/oauth2/v2.0/token",
		"jti": "5a1e0009-0000-4000-8000-000000000001",
		"nbf": now.Unix(),
		"exp": now.Add(10 * time.Minute).Unix(),
	}
	maps.Copy(payload, changes)
	maps.DeleteFunc(payload, func(_ string, value any) bool { return value == nil })
	options := (&jose.SignerOptions{}).WithType("JWT")
	for name, value := range header {
		options = options.WithHeader(name, value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	require.NoError(t, err)
	raw, err := jwt.Signed(signer).Claims(payload).Serialize()
	require.NoError(t, err)
	return raw
}

func TestClientAssertions(t *testing.T) {
	t.Parallel()
	d, certificate, key := directoryOfApps(t)
	d.Tenants[0].Apps[0].FederatedCredentials = nil
	fake := newFake(t, fakeentra.Config{Directory: d})
	send := func(assertion string) answer {
		return token(t, fake, url.Values{
			"grant_type":            {"client_credentials"},
			"client_id":             {directory.DefaultClientID},
			"scope":                 {"https://graph.microsoft.com/.default"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion":      {assertion},
		})
	}
	old := sha1.Sum(certificate.Raw)
	strong := sha256.Sum256(certificate.Raw)
	named := map[jose.HeaderKey]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(strong[:])}
	for _, test := range []struct {
		name   string
		header map[jose.HeaderKey]any
	}{
		{"x5t#S256", named},
		{
			"x5t#S256 in the standard alphabet",
			map[jose.HeaderKey]any{"x5t#S256": base64.StdEncoding.EncodeToString(strong[:])},
		},
		{"x5t", map[jose.HeaderKey]any{"x5t": base64.RawURLEncoding.EncodeToString(old[:])}},
		{"kid in hexadecimal", map[jose.HeaderKey]any{"kid": fmt.Sprintf("%X", old)}},
		{"no name at all", nil},
	} {
		for _, algorithm := range []jose.SignatureAlgorithm{jose.PS256, jose.RS256} {
			got := send(clientAssertion(t, key, algorithm, test.header, nil))
			assert.Equal(t, http.StatusOK, got.Status, "%s, %s: %s", test.name, algorithm, got.Body)
		}
	}
	for _, audience := range []any{
		tenantURL + "/v2.0",
		tenantURL + "/oauth2/token",
		login + "/" + directory.DefaultDomain + "/oauth2/v2.0/token",
		[]string{"x", tenantURL + "/oauth2/v2.0/token"},
	} {
		got := send(clientAssertion(t, key, jose.PS256, named, map[string]any{"aud": audience}))
		assert.Equal(t, http.StatusOK, got.Status, "%v: %s", audience, got.Body)
	}
	_, stranger := newCertificate(t)
	sample := clientAssertion(t, key, jose.PS256, named, nil)
	for _, test := range []struct {
		name      string
		assertion string
		number    int
	}{
		{"another key", clientAssertion(t, stranger, jose.PS256, named, nil), 700027},
		{"another key, unnamed", clientAssertion(t, stranger, jose.PS256, nil, nil), 700027},
		{"another name", clientAssertion(t, key, jose.PS256, map[jose.HeaderKey]any{"x5t": "AAAA"}, nil), 700027},
		{"a changed signature", sample[:len(sample)-8] + "AAAAAAAA", 700027},
		{
			"another subject",
			clientAssertion(t, key, jose.PS256, named, map[string]any{"sub": directory.DefaultAPIID}),
			700021,
		},
		{
			"another audience",
			clientAssertion(t, key, jose.PS256, named, map[string]any{"aud": "https://login.example/token"}),
			700023,
		},
		{"no audience", clientAssertion(t, key, jose.PS256, named, map[string]any{"aud": nil}), 700023},
		{
			"an expired one",
			clientAssertion(t, key, jose.PS256, named, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}),
			700024,
		},
		{"one that never expires", clientAssertion(t, key, jose.PS256, named, map[string]any{"exp": nil}), 700024},
		{
			"one of tomorrow",
			clientAssertion(t, key, jose.PS256, named, map[string]any{"nbf": time.Now().Add(24 * time.Hour).Unix()}),
			700024,
		},
		{
			"an algorithm of secrets",
			clientAssertion(t, certificate.RawSubjectPublicKeyInfo, jose.HS256, named, nil),
			5002730,
		},
		{"no algorithm", "eyJhbGciOiJub25lIn0.e30.", 50027},
		{"no JWT", "x", 50027},
		{"no object", "eyJhbGciOiJSUzI1NiJ9.W10.AAAA", 50027},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := send(test.assertion)
			assert.Equal(t, test.number, got.number(t))
		})
	}
}
