package broker_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/server/broker"
	"mcpentra/server/entra"
	"mcpentra/server/store"
)

func openFile(t *testing.T, path string) store.Store {
	opened, err := store.OpenFile(t.Context(), path, store.Config{Now: func() time.Time { return started }})
	require.NoError(t, err)
	return opened
}

func TestGrantsSurviveARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	text, err := broker.NewKeysText(rand.Reader)
	require.NoError(t, err)
	keys, err := broker.ReadKeys(text)
	require.NoError(t, err)
	kept := openFile(t, path)
	w := newWorld(t, options{store: kept, keys: keys})
	c := w.public()
	got := w.signedIn(c)
	require.NoError(t, kept.Close())

	kept = openFile(t, path)
	w.broker = w.start(options{store: kept, keys: keys})
	assert.True(t, w.good(got.Access))
	next, status := w.token(refreshing(c, got.Refresh))
	assert.Equal(t, 200, status)

	more, err := broker.NewKeysText(rand.Reader)
	require.NoError(t, err)
	rotated, err := broker.ReadKeys(more + text)
	require.NoError(t, err)
	w.broker = w.start(options{store: kept, keys: rotated})
	assert.True(t, w.good(next.Access), "a new key in front leaves the old one good")
	_, status = w.token(refreshing(c, next.Refresh))
	assert.Equal(t, 200, status)

	require.NoError(t, w.broker.Bind(t.Context(), "this one"))
	alone, err := broker.ReadKeys(more)
	require.NoError(t, err)
	w.broker = w.start(options{store: kept, keys: alone})
	assert.NoError(t, w.broker.Bind(t.Context(), "this one"), "what lasts was encrypted anew")

	lost, err := broker.NewKeys(rand.Reader)
	require.NoError(t, err)
	fake, err := fakeentra.New(fakeentra.Config{})
	require.NoError(t, err)
	_, err = broker.New(
		t.Context(),
		broker.Config{
			Issuer:   w.origin,
			Resource: w.origin + "/mcp",
			Entra:    anyClient(t, fake),
			Store:    kept,
			Keys:     lost,
		},
	)
	assert.ErrorContains(t, err, "not in the keys file")
	require.NoError(t, kept.Close())
}

func TestTheFileTellsNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	kept := openFile(t, path)
	defer kept.Close()
	w := newWorld(t, options{store: kept})
	c, _ := w.register(
		`{"redirect_uris":["` + loopback + `"],"token_endpoint_auth_method":"client_secret_basic","client_name":"canary-name"}`,
	)
	code := w.code(c, w.browser()).Get("code")
	got, status := w.token(redemption(c, code), "Authorization", basic(c.ID, c.Secret))
	require.Equal(t, 200, status)
	caller, err := w.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	upstream, err := w.broker.UpstreamToken(t.Context(), caller.GrantID)
	require.NoError(t, err)
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for what, canary := range map[string]string{
			"code":          code,
			"access token":  got.Access,
			"refresh token": got.Refresh,
			"Entra's token": upstream,
			"client secret": c.Secret,
			"name":          "canary-name",
			"person":        "Adele",
		} {
			assert.NotContains(t, string(text), canary, what)
		}
	}
}

func TestARecordCountsInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	kept := store.NewMemory(store.Config{Now: func() time.Time { return started }})
	w := newWorld(t, options{store: kept})
	c := w.public()
	grantOf := func(got tokens) store.Record {
		caller, err := w.broker.Verify(t.Context(), got.Access)
		require.NoError(t, err)
		record, err := kept.Get(t.Context(), "grant", caller.GrantID)
		require.NoError(t, err)
		return record
	}
	one := w.signedIn(c)
	two := w.signedIn(c)
	first := grantOf(one)
	second := grantOf(two)
	first.Value = second.Value
	_, err := kept.Put(t.Context(), first)
	require.NoError(t, err)
	assert.False(t, w.good(one.Access), "another grant's record in this one's place")
	assert.True(t, w.good(two.Access))
	second.Value = slices.Clone(second.Value)
	second.Value[len(second.Value)-1] ^= 1
	_, err = kept.Put(t.Context(), second)
	require.NoError(t, err)
	assert.False(t, w.good(two.Access), "a bit that was flipped")
}

func TestKeysAreReadStrictly(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":        "",
		"comments alone": "# a\n\n",
		"not base64":     "not a key\n",
		"too short":      "AAAA\n",
		"too many":       strings.Repeat(strings.Repeat("A", 43)+"=\n", 17),
	} {
		_, err := broker.ReadKeys(text)
		assert.Error(t, err, name)
		if err != nil {
			assert.NotContains(t, err.Error(), "not a key", "a line may be a key")
		}
	}
}

func TestAStoreBelongsToOneDeployment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	require.NoError(t, w.broker.Bind(t.Context(), "fake"))
	require.NoError(t, w.broker.Bind(t.Context(), "fake"))
	assert.ErrorContains(t, w.broker.Bind(t.Context(), "tenant"), "STORE_URL")
}

func anyClient(t *testing.T, fake *fakeentra.Fake) *entra.Client {
	tenant := fake.Tenant()
	client, err := entra.New(entra.Config{
		TenantID:            tenant.ID,
		ClientID:            tenant.Apps[0].ID,
		ClientSecret:        tenant.Apps[0].Secrets[0],
		RedirectURI:         "http://localhost:8000/auth/callback",
		HTTPClient:          fake.Client(),
		TrustPublicFakeKeys: true,
	})
	require.NoError(t, err)
	return client
}
