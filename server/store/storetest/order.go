package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/store"
)

func ordered(t *testing.T, s store.Store, _ func(time.Duration)) {
	ctx := t.Context()
	stored, err := store.PutInOrder(ctx, s, record("a", "one", 0, time.Hour), record("b", "one", 0, time.Hour))
	require.NoError(t, err)
	assert.Equal(t, 2, stored)

	old := record("b", "two", 7, time.Hour)
	stored, err = store.PutInOrder(ctx, s, record("a", "two", 1, time.Hour), old, record("c", "one", 0, time.Hour))
	assert.ErrorIs(t, err, store.ErrConflict)
	assert.Equal(t, 1, stored, "those before the conflict")
	found, err := s.Get(ctx, "k", "a")
	require.NoError(t, err)
	assert.Equal(t, "two", string(found.Value))
	found, err = s.Get(ctx, "k", "b")
	require.NoError(t, err)
	assert.Equal(t, "one", string(found.Value))
	_, err = s.Get(ctx, "k", "c")
	assert.ErrorIs(t, err, store.ErrNotFound, "a record after a conflict")

	// The second record changes the first.
	stored, err = store.PutInOrder(ctx, s, record("d", "one", 0, time.Hour), record("d", "two", 1, time.Hour))
	require.NoError(t, err)
	assert.Equal(t, 2, stored)
	found, err = s.Get(ctx, "k", "d")
	require.NoError(t, err)
	assert.Equal(t, "two", string(found.Value))

	over, cancel := context.WithCancel(ctx)
	cancel()
	stored, err = store.PutInOrder(over, s, record("e", "one", 0, time.Hour))
	assert.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, stored)
}
