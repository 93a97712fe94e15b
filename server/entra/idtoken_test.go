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

func redeemWith(t *testing.T, issuer *issuer, idToken string) (*entra.Tokens, error) {
	t.Helper()
	return redeemAs(t, issuer, issuer.config(), idToken)
}

func redeemAs(t *testing.T, issuer *issuer, cfg entra.Config, idToken string) (*entra.Tokens, error) {
	t.Helper()
	issuer.token = func(w http.ResponseWriter, _ *http.Request) {
		answer(
			w,
			200,
			map[string]any{
				"token_type":    "Bearer",
				"access_token":  "graph",
				"refresh_token": "r",
				"expires_in":    3600,
				"id_token":      idToken,
			},
		)
	}
	return newClient(t, cfg).Redeem(t.Context(), entra.Redemption{Code: "code", Verifier: "verifier", Nonce: "nonce"})
}

func TestAnIDTokenOfThisSignInIsBelieved(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	tokens, err := redeemWith(t, issuer, issuer.idToken(t, nil))
	require.NoError(t, err)
	assert.Equal(t, directory.DefaultUserID, tokens.User.ObjectID)
}

func TestAnIDTokenWithOneThingWrongIsNot(t *testing.T) {
	t.Parallel()
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	const other = "11111111-2222-4333-8444-555555555555"
	claim := func(name string, value any) func(*testing.T, *issuer) string {
		return func(t *testing.T, i *issuer) string { return i.idToken(t, map[string]any{name: value}) }
	}
	tests := map[string]func(*testing.T, *issuer) string{
		"none at all":            func(*testing.T, *issuer) string { return "" },
		"another nonce":          claim("nonce", "another"),
		"no nonce":               claim("nonce", nil),
		"another audience":       claim("aud", other),
		"an audience too many":   claim("aud", []string{directory.DefaultClientID, other}),
		"another issuer":         claim("iss", "https://login.microsoftonline.com/"+other+"/v2.0"),
		"the v1 issuer":          claim("iss", "https://sts.windows.net/"+directory.DefaultTenantID+"/"),
		"another tenant":         claim("tid", other),
		"no tenant":              claim("tid", nil),
		"the tenant in capitals": claim("tid", strings.ToUpper(directory.DefaultTenantID)),
		"no object id":           claim("oid", nil),
		"an object id of text":   claim("oid", "../../x"),
		"expired":                claim("exp", noon.Unix()-301),
		"no expiry":              claim("exp", nil),
		"from the future":        claim("nbf", noon.Unix()+301),
		"a twin of the nonce": func(t *testing.T, i *issuer) string {
			return i.idToken(t, map[string]any{"nonce": "another", "Nonce": "nonce"})
		},
		"a stranger's key under a known id": func(t *testing.T, i *issuer) string {
			return sign(t, jose.RS256, stranger, "one", map[string]any{
				"iss":   i.URL + "/" + directory.DefaultTenantID + "/v2.0",
				"aud":   directory.DefaultClientID,
				"nonce": "nonce",
				"tid":   directory.DefaultTenantID,
				"oid":   directory.DefaultUserID,
				"exp":   noon.Unix() + 3600,
			})
		},
		"another algorithm of the same key": func(t *testing.T, i *issuer) string {
			raw := i.idToken(t, nil)
			payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
			require.NoError(t, err)
			return sign(t, jose.PS256, signingKey(), "one", jsonRaw(payload))
		},
		"no signature": func(t *testing.T, i *issuer) string {
			parts := strings.Split(i.idToken(t, nil), ".")
			return base64.RawURLEncoding.EncodeToString(
				[]byte(`{"alg":"none","typ":"JWT","kid":"one"}`),
			) + "." + parts[1] + "."
		},
		"the public key as a shared secret": func(t *testing.T, i *issuer) string {
			der, err := x509.MarshalPKIXPublicKey(signingKey().Public())
			require.NoError(t, err)
			payload, err := base64.RawURLEncoding.DecodeString(strings.Split(i.idToken(t, nil), ".")[1])
			require.NoError(t, err)
			return sign(
				t,
				jose.HS256,
				pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
				"one",
				jsonRaw(payload),
			)
		},
	}
	for name, make := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issuer := newIssuer(t)
			_, err := redeemWith(t, issuer, make(t, issuer))
			var bad *entra.IDTokenError
			require.ErrorAs(t, err, &bad)
		})
	}
}

// jsonRaw is a payload that is signed as it is.
type jsonRaw []byte

func (j jsonRaw) MarshalJSON() ([]byte, error) { return j, nil }

func TestAKeyOfAnotherIssuerIsNotBelieved(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		issuer func(base string) string
		fine   bool
	}{
		"this tenant's": {
			issuer: func(base string) string { return base + "/" + directory.DefaultTenantID + "/v2.0" },
			fine:   true,
		},
		"the template": {issuer: func(base string) string { return base + "/{tenantid}/v2.0" }, fine: true},
		"personal accounts": {
			issuer: func(base string) string { return base + "/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0" },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scripted := newIssuer(t)
			stranger, err := rsa.GenerateKey(rand.Reader, 2048)
			require.NoError(t, err)
			raw := scripted.idToken(t, nil)
			// go-jose drops members it does not know, so the document is written by hand.
			keys := []map[string]any{
				jwk(signingKey(), "one", test.issuer(scripted.URL)),
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
			scripted.token = func(w http.ResponseWriter, _ *http.Request) {
				answer(
					w,
					200,
					map[string]any{
						"token_type":   "Bearer",
						"access_token": "graph",
						"expires_in":   3600,
						"id_token":     raw,
					},
				)
			}
			_, err = newClient(
				t,
				cfg,
			).Redeem(t.Context(), entra.Redemption{Code: "code", Verifier: "verifier", Nonce: "nonce"})
			if test.fine {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
		})
	}
}

func TestTheListOfPublicKeysIsTheFakesOwn(t *testing.T) {
	t.Parallel()
	assert.ElementsMatch(t, fakeentra.PublicKeyThumbprints(), entra.PublicFakeKeys())
}

func TestEveryPublicKeyIsRefused(t *testing.T) {
	t.Parallel()
	fake, err := fakeentra.New(fakeentra.Config{})
	require.NoError(t, err)
	cfg := forFake(fake)
	cfg.TrustPublicFakeKeys = false

	// The fake begins with its second key, and comes to the last embedded one after two rotations.
	for range 3 {
		// A client that has never met the fake, as after a restart.
		client := newClient(t, cfg)
		var public *entra.PublicKeysError
		require.ErrorAs(t, client.Check(t.Context()), &public)
		assert.Contains(t, public.Error(), "AUTH_AUTHORITY")

		verifier := oauth2.GenerateVerifier()
		address, err := client.AuthorizationURL(t.Context(), entra.AuthorizationRequest{
			State:         "state",
			Nonce:         "nonce",
			CodeChallenge: oauth2.S256ChallengeFromVerifier(verifier),
			Scopes:        []string{"User.Read"},
		})
		require.NoError(t, err)
		code := visit(t, fake, address, false).Get("code")
		_, err = client.Redeem(t.Context(), entra.Redemption{Code: code, Verifier: verifier, Nonce: "nonce"})
		var bad *entra.IDTokenError
		require.ErrorAs(t, err, &bad)
		require.NoError(t, fake.Rotate())
	}
}
