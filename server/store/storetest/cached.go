package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/store"
)

// cachedForKnown reads as a caller that has the value of a version.
func cachedForKnown(t *testing.T, s store.Store, later func(time.Duration)) {
	_, err := s.GetCached(t.Context(), "k", "a", 1)
	assert.ErrorIs(t, err, store.ErrNotFound)
	known, err := s.Put(t.Context(), record("a", "one", 0, time.Minute))
	require.NoError(t, err)
	for range 2 {
		found, err := s.GetCached(t.Context(), "k", "a", known)
		require.NoError(t, err)
		assert.Equal(t, known, found.Version)
		assert.True(t, found.Expires.Equal(start.Add(time.Minute)))
	}
	assertCached(t, s, 0, "one")
	assertCached(t, s, known+1, "one")

	version, err := s.Put(t.Context(), record("a", "two", known, time.Minute))
	require.NoError(t, err)
	assertCached(t, s, known, "two")
	found, err := s.GetCached(t.Context(), "k", "a", version)
	require.NoError(t, err)
	assert.Equal(t, version, found.Version)

	later(time.Minute)
	_, err = s.GetCached(t.Context(), "k", "a", version)
	assert.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.Put(t.Context(), record("b", "one", 0, time.Hour))
	require.NoError(t, err)
	_, err = s.GetCached(t.Context(), "k", "b", 1)
	require.NoError(t, err)
	require.NoError(t, s.Delete(t.Context(), "k", "b"))
	_, err = s.GetCached(t.Context(), "k", "b", 1)
	assert.ErrorIs(t, err, store.ErrNotFound)
}

// assertCached checks that a cached read returns the value to a caller that knows another version.
func assertCached(t *testing.T, s store.Store, known int64, want string) {
	found, err := s.GetCached(t.Context(), "k", "a", known)
	require.NoError(t, err)
	assert.Equal(t, want, string(found.Value), "with known version %d", known)
}
