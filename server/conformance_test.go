package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance"
	"mcpentra/conformance/engine"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server"
	"mcpentra/server/entra"
)

// TestServerConforms holds the server to every check: its tokens come of a real sign-in, and the bad ones are made of a
// good one with the server's own key, so that nothing but the flaw can be why they are refused.
func TestServerConforms(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	origin := startServer(t, func(config *server.Config) { config.SigningKey = key })

	signIn := conformance.SignIn{URL: origin + "/mcp", Open: visit}
	good, err := sync.OnceValues(func() (string, error) { return signIn.Token(t.Context()) })()
	require.NoError(t, err)
	conformance.Test(t, engine.Target{
		URL:       origin + "/mcp",
		Revisions: engine.Revisions(),
		Tokens: map[engine.TokenKind]func(context.Context) (string, error){
			engine.Good:    func(context.Context) (string, error) { return good, nil },
			engine.Expired: remint(key, good, func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() }),
			engine.NotYetValid: remint(key, good, func(c map[string]any) {
				c["nbf"] = time.Now().Add(time.Hour).Unix()
				c["exp"] = time.Now().Add(2 * time.Hour).Unix()
			}),
			engine.ForeignAudience: remint(key, good, func(c map[string]any) { c["aud"] = "https://other.example/mcp" }),
			engine.ForeignIssuer:   remint(key, good, func(c map[string]any) { c["iss"] = "https://other.example" }),
		},
	})
}

// startServer starts a fake Entra ID and a server in front of it, each on a site of its own (127.0.0.1 and localhost),
// and returns the server's origin.
func startServer(t testing.TB, change func(*server.Config)) string {
	t.Helper()
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	listening := httptest.NewUnstartedServer(nil)
	origin := "http://" + strings.Replace(listening.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	tenant := fake.Tenant()
	config := server.Config{
		PublicURL: origin, RegistrationsPerMinute: -1, HTTPClient: fake.Client(),
		Entra: entra.Config{
			Authority: fake.URL, TenantID: tenant.ID, ClientID: tenant.Apps[0].ID, ClientSecret: tenant.Apps[0].Secrets[0], TrustPublicFakeKeys: true,
		},
	}
	if change != nil {
		change(&config)
	}
	made, err := server.New(t.Context(), config)
	require.NoError(t, err)
	listening.Config.Handler = made
	listening.Start()
	t.Cleanup(listening.Close)
	return origin
}

// visit is a person who approves everything.
func visit(ctx context.Context, page string) error {
	_, err := (&useragent.Browser{}).Visit(ctx, page)
	return err
}

// remint makes a token with the claims of another one, but for a change, signed with the same key.
func remint(key *ecdsa.PrivateKey, good string, change func(map[string]any)) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		parsed, err := jwt.ParseSigned(good, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			return "", err
		}
		claims := map[string]any{}
		if err := parsed.Claims(&key.PublicKey, &claims); err != nil {
			return "", err
		}
		for name, value := range claims {
			if number, ok := value.(float64); ok {
				claims[name] = int64(number) // encoding/json would write 1.7e+09
			}
		}
		change(claims)
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: parsed.Headers[0].KeyID}},
			(&jose.SignerOptions{}).WithType("at+jwt"))
		if err != nil {
			return "", err
		}
		return jwt.Signed(signer).Claims(claims).Serialize()
	}
}
