package broker_test

import (
	"context"
	"crypto/rand"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
	"mcpentra/server/store"
)

// newKeysText returns the text of a keys file with one key, and its keys.
func newKeysText(t *testing.T) (string, *broker.Keys) {
	text, err := broker.NewKeysText(rand.Reader)
	require.NoError(t, err)
	return text, keysOf(t, text)
}

func keysOf(t *testing.T, text string) *broker.Keys {
	keys, err := broker.ReadKeys(text)
	require.NoError(t, err)
	return keys
}

// replace gives new text to the keys of replicas.
func replace(t *testing.T, text string, replicas ...*broker.Keys) {
	for _, keys := range replicas {
		changed, err := keys.Replace(text)
		require.NoError(t, err)
		assert.True(t, changed)
	}
}

// keysInUse counts the records that each key encrypts.
func keysInUse(t *testing.T, kept store.Store, keys *broker.Keys) map[string]int {
	report, err := broker.Inspect(t.Context(), kept, keys, nil)
	require.NoError(t, err)
	require.Empty(t, report.Faults)
	return report.Keys
}

// grantsOf returns the IDs of the grants that a filter selects, page by page.
func grantsOf(t *testing.T, b *broker.Broker, filter broker.GrantFilter) []string {
	var ids []string
	for after := ""; ; after = ids[len(ids)-1] {
		page, err := b.Grants(t.Context(), filter, after, 2)
		require.NoError(t, err)
		for _, one := range page {
			ids = append(ids, one.ID)
		}
		if len(page) < 2 {
			return ids
		}
	}
}

// TestRotationOverReplicas rotates the keys of two replicas. Between the steps, people sign in at
// one replica and refresh at the other.
func TestRotationOverReplicas(t *testing.T) {
	t.Parallel()
	text, first := newKeysText(t)
	second := keysOf(t, text)
	kept := newMemory()
	log := &logText{}
	e := newEnv(t, options{store: kept, keys: first, log: log})
	replicas := []*broker.Broker{e.broker, e.start(options{store: kept, keys: second, log: log})}
	c := e.public()
	signInAt := func(i int) tokens { e.broker = replicas[i]; return e.signedIn(c) }
	refreshAt := func(i int, got tokens) tokens {
		e.broker = replicas[i]
		next, status := e.token(refreshing(c, got.Refresh))
		require.Equal(t, 200, status, next.Error)
		return next
	}
	early := signInAt(0)
	caller, err := replicas[0].Verify(t.Context(), early.Access)
	require.NoError(t, err)

	rotated, err := broker.RotateKeysText(text, rand.Reader, e.now().Add(10*time.Minute))
	require.NoError(t, err)
	replace(t, rotated, first) // the other replica has not read the file yet
	unread := refreshAt(1, signInAt(0))
	replace(t, rotated, second)
	names := first.Names()
	require.Len(t, names, 2)
	require.NoError(t, replicas[0].MaintainOnce(t.Context()))
	assert.Zero(t, keysInUse(t, kept, first)[names[0]], "the new key does not encrypt yet")

	e.later(10 * time.Minute)
	fresh := refreshAt(1, signInAt(0))
	assert.Positive(t, keysInUse(t, kept, first)[names[0]])
	ids := grantsOf(t, replicas[1], broker.GrantFilter{Principal: &caller.Principal})
	assert.Len(t, ids, 3, "under the names of both keys")
	assert.Equal(t, ids, grantsOf(t, replicas[1], broker.GrantFilter{ClientID: c.ID}))

	require.NoError(t, replicas[1].MaintainOnce(t.Context()))
	assert.NotContains(t, log.String(), "keys prune", "a code of the older key is left")
	for _, kind := range []string{"code", "transaction"} {
		records, err := kept.List(t.Context(), store.Query{Kind: kind})
		require.NoError(t, err)
		for _, record := range records { // the store's clock is stopped
			require.NoError(t, kept.Delete(t.Context(), kind, record.Key))
		}
	}
	e.later(10 * time.Minute)
	require.NoError(t, replicas[0].MaintainOnce(t.Context()))
	require.NoError(t, replicas[1].MaintainOnce(t.Context()))
	assert.Equal(t, 1, strings.Count(log.String(), "keys prune"), log.String())
	inUse := keysInUse(t, kept, first)
	assert.Zero(t, inUse[names[1]])

	pruned, removed, err := broker.PruneKeysText(rotated, e.now(), func(name string) bool { return inUse[name] > 0 })
	require.NoError(t, err)
	assert.Equal(t, names[1:], removed)
	replace(t, pruned, first, second)
	e.broker = e.start(options{store: kept, keys: keysOf(t, pruned)})
	replicas = append(replicas, e.broker)
	for _, got := range []tokens{early, unread, fresh} {
		refreshAt(2, got)
	}
	assert.Equal(t, ids, grantsOf(t, replicas[2], broker.GrantFilter{Principal: &caller.Principal}))
	ended, err := replicas[2].EndGrants(t.Context(), broker.GrantFilter{Principal: &caller.Principal}, "a test")
	require.NoError(t, err)
	assert.Equal(t, 3, ended)
}

// TestRewritingKeepsClientInUse rewrites a client between the moment at which a sign-in reads it
// and the moment at which the sign-in marks it as used.
func TestRewritingKeepsClientInUse(t *testing.T) {
	t.Parallel()
	kept := &rewritten{Store: newMemory(), kind: "client"}
	e := newEnv(t, options{store: kept})
	c := e.public()
	kept.armed.Store(true)
	e.signedIn(c)
	require.False(t, kept.armed.Load())
	record, err := kept.Get(t.Context(), "client", c.ID)
	require.NoError(t, err)
	assert.Greater(t, record.Expires.Sub(e.now()), 30*24*time.Hour)
	assert.Empty(t, record.Source)
}

// A rewritten store writes the same record again before the next change of a kind.
type rewritten struct {
	store.Store
	kind  string
	armed atomic.Bool
}

func (s *rewritten) Put(ctx context.Context, record store.Record) (int64, error) {
	if record.Kind == s.kind && record.Version > 0 && s.armed.CompareAndSwap(true, false) {
		found, err := s.Store.Get(ctx, record.Kind, record.Key)
		if err == nil {
			_, err = s.Store.Put(ctx, found)
		}
		if err != nil {
			return 0, err
		}
	}
	return s.Store.Put(ctx, record)
}

// TestReuseIsDetectedAfterPrune presents a refresh token of a removed key twice.
func TestReuseIsDetectedAfterPrune(t *testing.T) {
	t.Parallel()
	text, keys := newKeysText(t)
	e := newEnv(t, options{keys: keys})
	c := e.public()
	first := e.signedIn(c)
	second, status := e.token(refreshing(c, first.Refresh))
	require.Equal(t, 200, status)
	third, status := e.token(refreshing(c, second.Refresh))
	require.Equal(t, 200, status)
	rotated, err := broker.RotateKeysText(text, rand.Reader, time.Time{})
	require.NoError(t, err)
	replace(t, rotated, keys)
	require.NoError(t, e.broker.MaintainOnce(t.Context()))
	pruned, removed, err := broker.PruneKeysText(rotated, e.now(), func(string) bool { return false })
	require.NoError(t, err)
	require.Len(t, removed, 1)
	replace(t, pruned, keys)
	require.True(t, e.good(third.Access))
	_, status = e.token(refreshing(c, first.Refresh))
	assert.Equal(t, 400, status)
	assert.False(t, e.good(third.Access), "the old token shows that two have the grant")
}

// TestOlderGrantsGetTheirGroup rewrites a grant as an earlier version stored it.
func TestOlderGrantsGetTheirGroup(t *testing.T) {
	t.Parallel()
	kept := newMemory()
	e := newEnv(t, options{store: kept})
	c := e.public()
	got := e.signedIn(c)
	caller, err := e.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	record, err := kept.Get(t.Context(), "grant", caller.GrantID)
	require.NoError(t, err)
	group := record.Group
	require.NotEmpty(t, group)
	record.Group = ""
	_, err = kept.Put(t.Context(), record)
	require.NoError(t, err)
	require.NoError(t, e.broker.MaintainOnce(t.Context()))
	again, err := kept.Get(t.Context(), "grant", caller.GrantID)
	require.NoError(t, err)
	assert.Equal(t, group, again.Group)
	grants, err := kept.List(t.Context(), store.Query{Kind: "grant", Group: group})
	require.NoError(t, err)
	assert.Len(t, grants, 1)
}

// keyLines returns the lines of a keys file that the version before reads.
func keyLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestRotateKeysTextKeepsTheFile(t *testing.T) {
	t.Parallel()
	text, keys := newKeysText(t)
	text = "# ours\n\n" + text + "# the end\n"
	at := time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	rotated, err := broker.RotateKeysText(text, rand.Reader, at)
	require.NoError(t, err)
	rotated, err = broker.RotateKeysText(rotated, rand.Reader, at.Add(time.Hour))
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(rotated, "# ours\n\n"), rotated)
	assert.True(t, strings.HasSuffix(rotated, "# the end\n"), rotated)
	names := keysOf(t, rotated).Names()
	assert.Equal(t, keys.Names(), names[2:])
	for _, test := range []struct {
		at   time.Time
		want int // index of the key that encrypts
	}{{at.Add(-time.Second), 2}, {at, 1}, {at.Add(time.Hour), 0}} {
		inOrder := keysOf(t, rotated).Derive("x", test.at)
		assert.Equal(t, keysOf(t, keyLines(rotated)[test.want]).Derive("x", test.at)[0], inOrder[0])
		assert.Len(t, inOrder, 3)
	}
	_, removed, err := broker.PruneKeysText(rotated, at, func(string) bool { return false })
	require.NoError(t, err)
	assert.Equal(t, names[2:], removed, "newer keys stay")
	for range 13 {
		rotated, err = broker.RotateKeysText(rotated, rand.Reader, time.Time{})
		require.NoError(t, err)
	}
	_, err = broker.RotateKeysText(rotated, rand.Reader, time.Time{})
	assert.ErrorContains(t, err, "keys prune")
}

func TestReplaceRefusesOtherKeys(t *testing.T) {
	t.Parallel()
	text, keys := newKeysText(t)
	other, _ := newKeysText(t)
	for _, test := range []struct{ text, want string }{
		{other, "other keys only"},
		{"", "1 to 16 keys"},
		{"# encrypts from: soon\n" + text, "line 1"},
		{"# of a removed key: AAAA\n" + text, "line 1"},
	} {
		_, err := keys.Replace(test.text)
		assert.ErrorContains(t, err, test.want)
	}
	for _, text := range []string{text, broker.RaiseEpochText(text, "0123456789abcdef", 7)} {
		changed, err := keys.Replace(text)
		require.NoError(t, err)
		assert.False(t, changed)
	}
	replace(t, other+text, keys)
}
