package broker_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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

// TestStoreRevealsNothing goes through sign-ins, refreshes, rotations of all keys, and a restore.
// Then it looks for the secrets that passed: in the file, in the records, and in an export.
func TestStoreRevealsNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	kept := openFile(t, path)
	defer kept.Close()
	text, keys := newKeysText(t)
	e := newEnv(t, options{store: kept, keys: keys})
	c, _ := e.register(`{"redirect_uris":["` + loopback + `"],` +
		`"token_endpoint_auth_method":"client_secret_basic","client_name":"canary-name"}`)
	person := e.browser()
	secrets := map[string]string{
		"client secret": c.Secret,
		"client name":   "canary-name",
		"person":        "Adele",
		"user name":     "contoso",
		"verifier":      verifier,
		"state":         `a \"b&c+d%`,
	}
	signIn := func(round string) tokens {
		code := e.code(c, person).Get("code")
		got, status := e.token(redemption(c, code), "Authorization", basic(c.ID, c.Secret))
		require.Equal(t, 200, status)
		next, status := e.token(refreshing(c, got.Refresh), "Authorization", basic(c.ID, c.Secret))
		require.Equal(t, 200, status)
		caller, err := e.broker.Verify(t.Context(), next.Access)
		require.NoError(t, err)
		upstream, err := e.broker.UpstreamToken(t.Context(), caller.GrantID)
		require.NoError(t, err)
		secrets["code "+round] = code
		secrets["access token "+round] = got.Access
		secrets["refresh token "+round] = got.Refresh
		secrets["second access token "+round] = next.Access
		secrets["second refresh token "+round] = next.Refresh
		secrets["Entra's token "+round] = upstream
		return next
	}
	signIn("first")
	text, err := broker.RotateKeysText(text, rand.Reader, time.Time{})
	require.NoError(t, err)
	replace(t, text, keys)
	require.NoError(t, e.broker.MaintainOnce(t.Context()))
	_, err = broker.RotateSigningKey(t.Context(), broker.SigningRotation{Store: kept, Keys: keys, Now: e.now})
	require.NoError(t, err)
	e.later(time.Second)
	raise(t, e, kept, text, true)
	signIn("second")
	origin, err := url.Parse(e.origin + "/authorize")
	require.NoError(t, err)
	for _, cookie := range person.c.Jar.Cookies(origin) {
		secrets["cookie "+cookie.Name] = cookie.Value
	}
	for i, line := range keyLines(text) {
		line = strings.TrimSpace(line)
		raw, err := base64.StdEncoding.DecodeString(line)
		require.NoError(t, err)
		secrets[fmt.Sprint("text of key ", i)] = line
		secrets[fmt.Sprint("key ", i)] = string(raw)
	}
	require.Greater(t, len(secrets), 20)

	for place, text := range dumps(t, kept, path) {
		for name, secret := range secrets {
			require.NotEmpty(t, secret, name)
			assert.False(t, strings.Contains(text, secret), "%s is readable in %s", name, place)
		}
	}
}

// dumps returns all that a store keeps: its files, its records, and an export with decoded values.
func dumps(t *testing.T, kept store.Store, path string) map[string]string {
	dumps := map[string]string{}
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		dumps[filepath.Base(name)] = string(text)
	}
	var records strings.Builder
	add := func(record store.Record) error {
		_, err := fmt.Fprintln(&records, record.Kind, record.Key, record.Source, record.Group, string(record.Value))
		return err
	}
	require.NoError(t, store.Walk(t.Context(), kept, add))
	dumps["the records"] = records.String()
	var export bytes.Buffer
	count, err := store.Export(t.Context(), kept, &export, nil)
	require.NoError(t, err)
	require.Greater(t, count, 8)
	dumps["the export"] = export.String()
	records.Reset()
	_, err = store.ReadExport(&export, add)
	require.NoError(t, err)
	dumps["the export's records"] = records.String()
	return dumps
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

func (s *mixedUp) GetCached(ctx context.Context, kind, key string, _ int64) (store.Record, error) {
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
