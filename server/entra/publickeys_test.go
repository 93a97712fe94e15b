package entra_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/server/entra"
)

// TestFakeOnLoopbackIsTrusted signs in at a fake on loopback without TrustPublicFakeKeys. The log
// has one warning.
func TestFakeOnLoopbackIsTrusted(t *testing.T) {
	t.Parallel()
	fake := fakeentra.NewServer(fakeentra.Config{AutoSignIn: true})
	defer fake.Close()
	var log strings.Builder
	cfg := entra.Config{
		Authority:    fake.URL,
		TenantID:     directory.DefaultTenantID,
		ClientID:     directory.DefaultClientID,
		ClientSecret: directory.DefaultClientSecret,
		RedirectURI:  "http://localhost:8000/auth/callback",
		HTTPClient:   fake.Client(),
		Logger:       slog.New(slog.NewTextHandler(&log, nil)),
	}
	client := newClient(t, cfg)
	verifier := oauth2.GenerateVerifier()
	for range 2 {
		require.NoError(t, client.Check(t.Context()))
		address, err := client.AuthorizationURL(t.Context(), signInRequest(verifier))
		require.NoError(t, err)
		code := visit(t, fake.Fake, address, false).Get("code")
		_, err = client.Redeem(t.Context(), entra.Redemption{Code: code, Verifier: verifier, Nonce: "nonce"})
		require.NoError(t, err)
	}
	assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
	assert.Contains(t, log.String(), "its signing keys are public")
	assert.Contains(t, log.String(), fake.URL)

	log.Reset()
	cfg.ClientID = directory.DefaultAPIID
	api, err := entra.NewAPI(cfg, entra.APIConfig{Tenants: []string{"11111111-2222-4333-8444-555555555555"}})
	require.NoError(t, err)
	for range 2 {
		raw, err := fake.Mint(fakeentra.Token{})
		require.NoError(t, err)
		_, err = api.Verify(t.Context(), raw)
		require.NoError(t, err)
	}
	assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
}

// TestRefusedFakeNamesSetting uses a fake beyond loopback. The refusal names the setting that would
// trust it.
func TestRefusedFakeNamesSetting(t *testing.T) {
	t.Parallel()
	fake, err := fakeentra.New(fakeentra.Config{AutoSignIn: true})
	require.NoError(t, err)
	var log strings.Builder
	cfg := forFake(fake)
	cfg.TrustPublicFakeKeys = false
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	client := newClient(t, cfg)
	err = client.Check(t.Context())
	for _, name := range []string{"AUTH_AUTHORITY", "entra.Config.TrustPublicFakeKeys", "--trust-public-fake-keys"} {
		require.ErrorContains(t, err, name)
	}
	address, err := client.AuthorizationURL(t.Context(), signInRequest("v"))
	require.NoError(t, err)
	code := visit(t, fake, address, false).Get("code")
	_, err = client.Redeem(t.Context(), entra.Redemption{Code: code, Verifier: "v", Nonce: "nonce"})
	require.Error(t, err)
	assert.Contains(t, log.String(), "a key of the fake issuer is refused")
	assert.Contains(t, log.String(), "entra.Config.TrustPublicFakeKeys")
}
