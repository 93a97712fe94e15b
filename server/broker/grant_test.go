package broker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/store"
	"mcpentra/server/token"
)

// watched is a store that counts how often grants are read, and can go away.
type watched struct {
	store.Store
	read int
	away bool
}

func (s *watched) Get(ctx context.Context, kind, key string) (store.Record, error) {
	if kind == "grant" {
		s.read++
		if s.away {
			return store.Record{}, errors.New("away")
		}
	}
	return s.Store.Get(ctx, kind, key)
}

// TestEachCallAsksWhetherTheGrantStands verifies a token again and again, while the store's record
// of its grant changes.
func TestEachCallAsksWhetherTheGrantStands(t *testing.T) {
	t.Parallel()
	kept := &watched{Store: store.NewMemory(store.Config{Now: func() time.Time { return started }})}
	w := newWorld(t, options{store: kept})
	c := w.public()
	got := w.signedIn(c)
	kept.read = 0
	for range 3 {
		require.True(t, w.good(got.Access))
	}
	assert.Equal(t, 3, kept.read)

	kept.away = true
	_, err := w.broker.Verify(t.Context(), got.Access)
	var unavailable *token.UnavailableError
	assert.ErrorAs(t, err, &unavailable, "what it was a moment ago proves nothing")
	kept.away = false
	assert.True(t, w.good(got.Access))

	caller, err := w.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	record, err := kept.Get(t.Context(), "grant", caller.GrantID)
	require.NoError(t, err)
	whole := record.Value
	record.Value = []byte("damaged")
	record.Version, err = kept.Put(t.Context(), record)
	require.NoError(t, err)
	_, err = w.broker.Verify(t.Context(), got.Access)
	assert.ErrorAs(t, err, &unavailable, "a record that has changed is read")
	record.Value = whole
	_, err = kept.Put(t.Context(), record)
	require.NoError(t, err)
	assert.True(t, w.good(got.Access))

	require.NoError(t, kept.Delete(t.Context(), "grant", caller.GrantID))
	assert.False(t, w.good(got.Access))
}

// TestExpiryHidesNoRevocation asks about a token whose time is over, as the guard does while a call
// outlives its token.
func TestExpiryHidesNoRevocation(t *testing.T) {
	t.Parallel()
	kept := &watched{Store: store.NewMemory(store.Config{Now: func() time.Time { return started }})}
	w := newWorld(t, options{store: kept})
	c := w.public()
	got := w.signedIn(c)
	caller, err := w.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	w.later(2 * time.Hour)
	var invalid *token.InvalidError
	for range 2 {
		_, err = w.broker.Verify(t.Context(), got.Access)
		require.ErrorAs(t, err, &invalid)
		assert.Equal(t, token.Expired, invalid.Reason)
	}
	kept.away = true
	_, err = w.broker.Verify(t.Context(), got.Access)
	require.ErrorAs(t, err, &invalid, "it is too old, whatever the store would say")
	assert.Equal(t, token.Expired, invalid.Reason)
	kept.away = false

	require.NoError(t, kept.Delete(t.Context(), "grant", caller.GrantID))
	for range 2 {
		_, err = w.broker.Verify(t.Context(), got.Access)
		require.ErrorAs(t, err, &invalid)
		assert.NotEqual(t, token.Expired, invalid.Reason, "the guard would let a running call go on")
	}
}
