package broker_test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
	"mcpentra/server/store"
)

func TestGrantsSurviveRestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	text, err := broker.NewKeysText(rand.Reader)
	require.NoError(t, err)
	keys, err := broker.ReadKeys(text)
	require.NoError(t, err)
	kept := openFile(t, path)
	e := newEnv(t, options{store: kept, keys: keys})
	c := e.public()
	got := e.signedIn(c)
	require.NoError(t, kept.Close())

	kept = openFile(t, path)
	e.broker = e.start(options{store: kept, keys: keys})
	assert.True(t, e.good(got.Access))
	next, status := e.token(refreshing(c, got.Refresh))
	assert.Equal(t, 200, status)

	more, err := broker.NewKeysText(rand.Reader)
	require.NoError(t, err)
	rotated, err := broker.ReadKeys(more + text)
	require.NoError(t, err)
	e.broker = e.start(options{store: kept, keys: rotated})
	assert.True(t, e.good(next.Access), "a new key in front leaves the old one valid")
	_, status = e.token(refreshing(c, next.Refresh))
	assert.Equal(t, 200, status)

	require.NoError(t, e.broker.Bind(t.Context(), "this one"))
	alone, err := broker.ReadKeys(more)
	require.NoError(t, err)
	e.broker = e.start(options{store: kept, keys: alone})
	assert.NoError(t, e.broker.Bind(t.Context(), "this one"), "the lasting record was encrypted anew")

	lost, err := broker.NewKeys(rand.Reader)
	require.NoError(t, err)
	_, err = broker.New(t.Context(), broker.Config{
		Issuer:   e.origin,
		Resource: e.origin + "/mcp",
		Entra:    e.entraClient(),
		Store:    kept,
		Keys:     lost,
	})
	assert.ErrorContains(t, err, "not in the keys file")
	require.NoError(t, kept.Close())
}

func TestFileRevealsNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	kept := openFile(t, path)
	defer kept.Close()
	e := newEnv(t, options{store: kept})
	c, _ := e.register(`{"redirect_uris":["` + loopback + `"],` +
		`"token_endpoint_auth_method":"client_secret_basic","client_name":"canary-name"}`)
	code := e.code(c, e.browser()).Get("code")
	got, status := e.token(redemption(c, code), "Authorization", basic(c.ID, c.Secret))
	require.Equal(t, 200, status)
	caller, err := e.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	upstream, err := e.broker.UpstreamToken(t.Context(), caller.GrantID)
	require.NoError(t, err)
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, secret := range []struct{ name, value string }{
			{"code", code},
			{"access token", got.Access},
			{"refresh token", got.Refresh},
			{"Entra's token", upstream},
			{"client secret", c.Secret},
			{"client name", "canary-name"},
			{"person", "Adele"},
		} {
			assert.NotContains(t, string(text), secret.value, secret.name)
		}
	}
}

func TestRecordCountsInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	kept := newMemory()
	e := newEnv(t, options{store: kept})
	c := e.public()
	grantOf := func(got tokens) store.Record {
		caller, err := e.broker.Verify(t.Context(), got.Access)
		require.NoError(t, err)
		record, err := kept.Get(t.Context(), "grant", caller.GrantID)
		require.NoError(t, err)
		return record
	}
	a := e.signedIn(c)
	b := e.signedIn(c)
	first := grantOf(a)
	second := grantOf(b)
	first.Value = second.Value
	_, err := kept.Put(t.Context(), first)
	require.NoError(t, err)
	assert.False(t, e.good(a.Access), "another grant's value under this grant's key")
	assert.True(t, e.good(b.Access))
	second.Value = slices.Clone(second.Value)
	second.Value[len(second.Value)-1] ^= 1
	_, err = kept.Put(t.Context(), second)
	require.NoError(t, err)
	assert.False(t, e.good(b.Access), "a flipped bit")
}

// TestRecordOfOtherGrantIsRefused uses a store that answers each question about a grant with the
// record of one grant, as a mixed-up connection does.
func TestRecordOfOtherGrantIsRefused(t *testing.T) {
	t.Parallel()
	kept := &mixedUp{Store: newMemory()}
	e := newEnv(t, options{store: kept})
	c := e.public()
	first := e.signedIn(c)
	second := e.signedIn(c)
	caller, err := e.broker.Verify(t.Context(), first.Access)
	require.NoError(t, err)
	kept.answer = caller.GrantID
	assert.True(t, e.good(first.Access), "the record is the right one")
	assert.False(t, e.good(second.Access), "the record is another grant's")
	_, status := e.token(refreshing(c, second.Refresh))
	assert.NotEqual(t, 200, status)
	kept.answer = ""
	assert.True(t, e.good(second.Access))
}

// A mixedUp store answers with the grant of one key, unless the key is "".
type mixedUp struct {
	store.Store
	answer string
}

func (s *mixedUp) Get(ctx context.Context, kind, key string) (store.Record, error) {
	if kind == "grant" && s.answer != "" {
		key = s.answer
	}
	return s.Store.Get(ctx, kind, key)
}

func (s *mixedUp) GetCached(ctx context.Context, kind, key string) (store.Record, error) {
	return s.Get(ctx, kind, key)
}

func TestReadKeysRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text string }{
		{"nothing", ""},
		{"comments only", "# a\n\n"},
		{"not base64", "not a key\n"},
		{"too short", "AAAA\n"},
		{"too many", strings.Repeat(strings.Repeat("A", 43)+"=\n", 17)},
	} {
		_, err := broker.ReadKeys(test.text)
		if assert.Error(t, err, test.name) {
			assert.NotContains(t, err.Error(), "not a key", "a line may be a key")
		}
	}
}

func TestStoreBelongsToOneDeployment(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	require.NoError(t, e.broker.Bind(t.Context(), "fake"))
	require.NoError(t, e.broker.Bind(t.Context(), "fake"))
	assert.ErrorContains(t, e.broker.Bind(t.Context(), "tenant"), "STORE_URL")
}
