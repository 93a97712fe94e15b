package entra_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/server/entra"
)

func TestRedeemAcceptsIDToken(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	tokens, err := redeemWith(t, issuer, issuer.idToken(t, nil))
	require.NoError(t, err)
	assert.Equal(t, directory.DefaultUserID, tokens.User.ObjectID)
}

func TestRedeemRefusesIDToken(t *testing.T) {
	t.Parallel()
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	const other = "11111111-2222-4333-8444-555555555555"
	claim := func(name string, value any) func(*testing.T, *issuer) string {
		return func(t *testing.T, i *issuer) string { return i.idToken(t, map[string]any{name: value}) }
	}
	payloadOf := func(t *testing.T, raw string) jsonRaw {
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
		require.NoError(t, err)
		return payload
	}
	foreignKey := func(t *testing.T, i *issuer) string {
		return sign(t, jose.RS256, stranger, "one", payloadOf(t, i.idToken(t, nil)))
	}
	otherAlgorithm := func(t *testing.T, i *issuer) string {
		return sign(t, jose.PS256, signingKey(), "one", payloadOf(t, i.idToken(t, nil)))
	}
	unsigned := func(t *testing.T, i *issuer) string {
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT","kid":"one"}`))
		return header + "." + strings.Split(i.idToken(t, nil), ".")[1] + "."
	}
	publicKeyAsSecret := func(t *testing.T, i *issuer) string {
		der, err := x509.MarshalPKIXPublicKey(signingKey().Public())
		require.NoError(t, err)
		secret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		return sign(t, jose.HS256, secret, "one", payloadOf(t, i.idToken(t, nil)))
	}
	twoNonces := func(t *testing.T, i *issuer) string {
		return i.idToken(t, map[string]any{"nonce": "another", "Nonce": "nonce"})
	}
	tests := []struct {
		name  string
		token func(*testing.T, *issuer) string
	}{
		{"missing", func(*testing.T, *issuer) string { return "" }},
		{"another nonce", claim("nonce", "another")},
		{"no nonce", claim("nonce", nil)},
		{"two nonces that differ in case", twoNonces},
		{"another audience", claim("aud", other)},
		{"two audiences", claim("aud", []string{directory.DefaultClientID, other})},
		{"another issuer", claim("iss", "https://login.microsoftonline.com/"+other+"/v2.0")},
		{"v1 issuer", claim("iss", "https://sts.windows.net/"+directory.DefaultTenantID+"/")},
		{"another tenant", claim("tid", other)},
		{"a v1 token", claim("ver", "1.0")},
		{"no version", claim("ver", nil)},
		{"no subject", claim("sub", nil)},
		{"no tenant", claim("tid", nil)},
		{"tenant in capitals", claim("tid", strings.ToUpper(directory.DefaultTenantID))},
		{"no oid", claim("oid", nil)},
		{"oid without an ID", claim("oid", "../../x")},
		{"expired", claim("exp", noon.Unix()-301)},
		{"no expiry", claim("exp", nil)},
		{"not valid yet", claim("nbf", noon.Unix()+301)},
		{"foreign key with a known ID", foreignKey},
		{"another algorithm of the same key", otherAlgorithm},
		{"no signature", unsigned},
		{"public key as shared secret", publicKeyAsSecret},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			issuer := newIssuer(t)
			_, err := redeemWith(t, issuer, test.token(t, issuer))
			var bad *entra.IDTokenError
			require.ErrorAs(t, err, &bad)
		})
	}
}

func TestRedeemRefusesKeyOfAnotherIssuer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		path string // of the key's issuer
		fine bool
	}{
		"same tenant":       {"/" + directory.DefaultTenantID + "/v2.0", true},
		"template":          {"/{tenantid}/v2.0", true},
		"personal accounts": {"/" + directory.ConsumersTenantID + "/v2.0", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scripted := newIssuer(t)
			stranger, err := rsa.GenerateKey(rand.Reader, 2048)
			require.NoError(t, err)
			raw := scripted.idToken(t, nil)
			// go-jose drops unknown members such as issuer, so the document is made without it.
			keys := []map[string]any{
				jwk(signingKey(), "one", scripted.URL+test.path),
				jwk(stranger, "two", scripted.URL+"/"+directory.DefaultTenantID+"/v2.0"),
			}
			cfg := scripted.config()
			transport := scripted.Client().Transport
			cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/keys") {
					return respond(r, map[string]any{"keys": keys}), nil
				}
				return transport.RoundTrip(r)
			})}
			_, err = redeemAs(t, scripted, cfg, raw)
			if test.fine {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
		})
	}
}

func TestPublicFakeKeysAreComplete(t *testing.T) {
	t.Parallel()
	assert.ElementsMatch(t, fakeentra.PublicKeyThumbprints(), entra.PublicFakeKeys())
}

func TestRedeemRefusesPublicFakeKeys(t *testing.T) {
	t.Parallel()
	fake, err := fakeentra.New(fakeentra.Config{})
	require.NoError(t, err)
	cfg := forFake(fake)
	cfg.TrustPublicFakeKeys = false

	// The fake begins with its second key, and reaches the last embedded key after two rotations.
	for range 3 {
		// A new client knows no keys, as after a restart.
		client := newClient(t, cfg)
		var public *entra.PublicKeysError
		require.ErrorAs(t, client.Check(t.Context()), &public)
		assert.Contains(t, public.Error(), "AUTH_AUTHORITY")

		verifier := oauth2.GenerateVerifier()
		address, err := client.AuthorizationURL(t.Context(), signInRequest(verifier))
		require.NoError(t, err)
		code := visit(t, fake, address, false).Get("code")
		_, err = client.Redeem(t.Context(), entra.Redemption{Code: code, Verifier: verifier, Nonce: "nonce"})
		var bad *entra.IDTokenError
		require.ErrorAs(t, err, &bad)
		require.NoError(t, fake.Rotate())
	}
}
