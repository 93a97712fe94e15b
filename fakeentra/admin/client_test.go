package admin_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/admin"
)

func connect(t *testing.T) (*fakeentra.Fake, *admin.Client) {
	t.Helper()
	return connectTo(t, fakeentra.Config{})
}

func connectTo(t *testing.T, config fakeentra.Config) (*fakeentra.Fake, *admin.Client) {
	t.Helper()
	fake, err := fakeentra.New(config)
	require.NoError(t, err)
	api := httptest.NewServer(admin.Handler(fake))
	t.Cleanup(api.Close)
	client, err := admin.Connect(t.Context(), api.URL)
	require.NoError(t, err)
	return fake, client
}

// TestClientMintsTokens wants the same tokens as in the fake's process, and the key that signs
// them.
func TestClientMintsTokens(t *testing.T) {
	t.Parallel()
	fake, client := connect(t)
	assert.Equal(t, fake.Authority(), client.Authority())
	assert.Equal(t, fake.Issuer("a-tenant"), client.Issuer("a-tenant"))
	assert.Equal(t, fake.Tenant().Users, client.Directory().Tenants[0].Users)
	want := fakeentra.Token{
		Scopes:   []string{"tool.read"},
		Lifetime: time.Minute,
		Claims:   map[string]any{"extra": "claim"},
	}
	raw, err := client.Mint(want)
	require.NoError(t, err)
	key, err := client.PrivateKey(want)
	require.NoError(t, err)
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256})
	require.NoError(t, err)
	claims := map[string]any{}
	require.NoError(t, token.Claims(key.Public(), &claims))
	assert.Equal(t, "claim", claims["extra"])
	assert.Equal(t, "tool.read", claims["scp"])
	_, err = client.Mint(fakeentra.Token{User: "missing@example.com"})
	assert.ErrorContains(t, err, "no user missing@example.com")
	_, err = client.Mint(fakeentra.Token{Edit: func(map[string]any) {}})
	assert.ErrorContains(t, err, "use Claims in place of Edit")
}

// The issuers of External ID have a host of their own.
func TestClientKnowsIssuers(t *testing.T) {
	t.Parallel()
	fake, client := connectTo(t, fakeentra.Config{Cloud: fakeentra.ExternalID})
	for _, tenant := range []string{fake.Tenant().ID, "5a1e0001-0000-4000-8000-00000000ffff"} {
		assert.Equal(t, fake.Issuer(tenant), client.Issuer(tenant))
	}
}

// TestClientFollowsThisClock mints at a fake whose clock is set. The token is good now.
func TestClientFollowsThisClock(t *testing.T) {
	t.Parallel()
	fake, err := fakeentra.New(fakeentra.Config{})
	require.NoError(t, err)
	fake.Advance(24 * time.Hour)
	api := httptest.NewServer(admin.Handler(fake))
	t.Cleanup(api.Close)
	client, err := admin.Connect(t.Context(), api.URL)
	require.NoError(t, err)
	raw, err := client.Mint(fakeentra.Token{})
	require.NoError(t, err)
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256})
	require.NoError(t, err)
	claims := jwt.Claims{}
	require.NoError(t, token.UnsafeClaimsWithoutVerification(&claims))
	assert.WithinDuration(t, time.Now(), claims.IssuedAt.Time(), 6*time.Minute)
}

func TestConnectRefusesOtherServers(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(other.Close)
	_, err := admin.Connect(t.Context(), other.URL)
	assert.ErrorContains(t, err, "want the admin API of a fake")
}
