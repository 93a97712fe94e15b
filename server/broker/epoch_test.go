package broker_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
	"mcpentra/server/store"
)

// raise raises the epoch as each start of the program does, and notes it in the text of the keys
// file.
func raise(t *testing.T, e *env, kept store.Store, text string, restored bool) (string, *broker.Epoch) {
	raised, err := broker.RaiseEpoch(t.Context(), broker.EpochConfig{
		Store:    kept,
		Keys:     keysOf(t, text),
		Restored: restored,
		Now:      e.now,
	})
	require.NoError(t, err)
	return broker.RaiseEpochText(text, raised.Store, raised.Number), raised
}

// TestRestoreEndsWhatWasIssued restores a store while two replicas run. The access token, the
// refresh token, the code and the consent from before the restore end on both. New sign-ins work.
func TestRestoreEndsWhatWasIssued(t *testing.T) {
	t.Parallel()
	text, keys := newKeysText(t)
	kept := newMemory()
	e := newEnv(t, options{store: kept, keys: keys})
	other := e.start(options{store: kept, keys: keysOf(t, text)})
	c := e.public()
	person := e.browser()
	old := e.signedIn(c)
	code := e.code(c, person).Get("code")
	_, err := other.Verify(t.Context(), old.Access)
	require.NoError(t, err)
	caller, err := e.broker.Verify(t.Context(), old.Access)
	require.NoError(t, err)

	e.later(time.Second)
	_, raised := raise(t, e, kept, text, true)
	assert.True(t, raised.Voided)
	for _, replica := range []*broker.Broker{e.broker, other} {
		_, err := replica.Verify(t.Context(), old.Access)
		assert.ErrorContains(t, err, "the grant has ended")
		_, err = replica.UpstreamToken(t.Context(), caller.GrantID)
		assert.ErrorIs(t, err, broker.ErrGrantOver)
		assert.Empty(t, grantsOf(t, replica, broker.GrantFilter{ClientID: c.ID}))
		e.broker = replica
		got, status := e.token(refreshing(c, old.Refresh))
		assert.Equal(t, 400, status)
		assert.Equal(t, "invalid_grant", got.Error)
		got, status = e.token(redemption(c, code))
		assert.Equal(t, 400, status)
		assert.Equal(t, "invalid_grant", got.Error)
	}
	fresh := e.signedIn(c)
	assert.True(t, e.good(fresh.Access))
	_, status := e.token(refreshing(c, fresh.Refresh))
	assert.Equal(t, 200, status)
}

// TestRestoreEndsConsent lets a person approve a client before the restore. After it, the person is
// asked again.
func TestRestoreEndsConsent(t *testing.T) {
	t.Parallel()
	text, keys := newKeysText(t)
	kept := newMemory()
	e := newEnv(t, options{store: kept, keys: keys})
	c := e.named("site", appURI)
	person := e.browser()
	ask := func() int {
		return person.get(e.request(c, "redirect_uri", appURI), "Sec-Fetch-Site", "none").status
	}
	e.code(c, person, "redirect_uri", appURI)
	require.NotEqual(t, 200, ask(), "the consent is remembered")
	e.later(time.Second)
	raise(t, e, kept, text, true)
	assert.Equal(t, 200, ask(), "the consent page")
}

// TestOldStoreIsVoid goes through the starts of a file store. Only the one that finds a backup ends
// sign-ins.
func TestOldStoreIsVoid(t *testing.T) {
	t.Parallel()
	text, keys := newKeysText(t)
	e := newEnv(t, options{keys: keys})
	kept := openFile(t, filepath.Join(t.TempDir(), "s.db"))
	defer kept.Close()
	other := newMemory()
	var noted string
	for range 3 {
		var raised *broker.Epoch
		noted, raised = raise(t, e, kept, text, false)
		assert.False(t, raised.Voided, "a crash before the keys file was written")
		text, raised = raise(t, e, kept, noted, false)
		assert.False(t, raised.Voided)
		text, raised = raise(t, e, other, text, false)
		assert.False(t, raised.Voided, "another store with the same keys file")
	}
	backup, err := kept.Get(t.Context(), "epoch", "this")
	require.NoError(t, err)
	text, _ = raise(t, e, kept, text, false)
	latest, err := kept.Get(t.Context(), "epoch", "this")
	require.NoError(t, err)
	latest.Value = backup.Value
	_, err = kept.Put(t.Context(), latest)
	require.NoError(t, err)
	again, raised := raise(t, e, kept, text, false)
	assert.True(t, raised.Voided, "the backup")
	assert.Equal(t, raised.Noted, raised.Found+1)
	_, raised = raise(t, e, kept, text, false)
	assert.False(t, raised.Voided, "a crash after the backup was found")
	_, raised = raise(t, e, kept, again, false)
	assert.False(t, raised.Voided, "the next start")
}

// TestRaceOfEpochs raises an epoch while another replica does so.
func TestRaceOfEpochs(t *testing.T) {
	t.Parallel()
	text, keys := newKeysText(t)
	e := newEnv(t, options{keys: keys})
	kept := &conflictOnce{Store: newMemory()}
	kept.meanwhile = func() { raise(t, e, kept.Store, text, true) }
	_, raised := raise(t, e, kept, text, false)
	assert.Equal(t, int64(2), raised.Number)
	assert.False(t, raised.Voided)
}

// A conflictOnce store lets another caller write before its first Put.
type conflictOnce struct {
	store.Store
	meanwhile func()
}

func (s *conflictOnce) Put(ctx context.Context, record store.Record) (int64, error) {
	if s.meanwhile != nil {
		act := s.meanwhile
		s.meanwhile = nil
		act()
	}
	return s.Store.Put(ctx, record)
}

// TestEpochThatCannotBeRead refuses to judge grants.
func TestEpochThatCannotBeRead(t *testing.T) {
	t.Parallel()
	kept := &noEpoch{Store: newMemory()}
	e := newEnv(t, options{store: kept})
	got := e.signedIn(e.public())
	require.True(t, e.good(got.Access))
	kept.down = true
	_, err := e.broker.Verify(t.Context(), got.Access)
	assert.ErrorContains(t, err, "no epoch")
	kept.down = false
	assert.True(t, e.good(got.Access))
}

type noEpoch struct {
	store.Store
	down bool
}

func (s *noEpoch) GetCached(ctx context.Context, kind, key string, known int64) (store.Record, error) {
	if kind == "epoch" && s.down {
		return store.Record{}, errors.New("no epoch")
	}
	return s.Store.GetCached(ctx, kind, key, known)
}

// TestRunningServersNoticeOlderStore puts an earlier state of the store under two running replicas,
// as the failover of a store does that loses its last writes.
func TestRunningServersNoticeOlderStore(t *testing.T) {
	t.Parallel()
	text, keys := newKeysText(t)
	kept := newMemory()
	e := newEnv(t, options{store: kept, keys: keys})
	text, _ = raise(t, e, kept, text, false)
	earlier, err := kept.Get(t.Context(), "epoch", "this")
	require.NoError(t, err)
	text, _ = raise(t, e, kept, text, false)
	replicas := []*broker.Broker{
		e.start(options{store: kept, keys: keysOf(t, text)}),
		e.start(options{store: kept, keys: keysOf(t, text)}),
	}
	e.broker = replicas[0]
	c := e.public()
	old := e.signedIn(c)
	require.True(t, e.good(old.Access))

	e.later(time.Second)
	lost, err := kept.Get(t.Context(), "epoch", "this")
	require.NoError(t, err)
	lost.Value = earlier.Value
	_, err = kept.Put(t.Context(), lost)
	require.NoError(t, err)
	for _, replica := range replicas {
		e.broker = replica
		assert.False(t, e.good(old.Access))
		_, status := e.token(refreshing(c, old.Refresh))
		assert.Equal(t, 400, status)
	}
	fresh := e.signedIn(c)
	assert.True(t, e.good(fresh.Access), "what came afterwards")
	_, raised := raise(t, e, kept, text, false)
	assert.False(t, raised.Voided, "the running servers have ended it already")
	assert.True(t, e.good(fresh.Access))
}
