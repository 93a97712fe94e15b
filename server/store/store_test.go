package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/store"
	"mcpentra/server/store/storetest"
)

func TestMemoryKeepsContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(_ *testing.T, config store.Config) store.Store { return store.NewMemory(config) })
}

func TestFileKeepsContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, config store.Config) store.Store {
		s, err := store.OpenFile(t.Context(), filepath.Join(t.TempDir(), "s.db"), config)
		require.NoError(t, err)
		return s
	})
}

func TestFileSurvivesRestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "folder that is not there", "s?#%.db")
	s, err := store.OpenFile(t.Context(), path, store.Config{})
	require.NoError(t, err)
	record := store.Record{Kind: "k", Key: "a", Value: []byte("kept"), Expires: time.Now().Add(time.Hour)}
	_, err = s.Put(t.Context(), record)
	require.NoError(t, err)
	require.NoError(t, s.Close())

	s, err = store.OpenFile(t.Context(), path, store.Config{})
	require.NoError(t, err)
	defer s.Close()
	record, err = s.Get(t.Context(), "k", "a")
	require.NoError(t, err)
	assert.Equal(t, "kept", string(record.Value))
}

// TestFullFileForgetsInSteps fills a kind with the records of one source, and with a few records of
// each of several others.
func TestFullFileForgetsInSteps(t *testing.T) {
	t.Parallel()
	s, err := store.OpenFile(t.Context(), filepath.Join(t.TempDir(), "s.db"), store.Config{})
	require.NoError(t, err)
	defer s.Close()
	put := func(key, source string) {
		record := store.Record{Kind: "k", Key: key, Source: source, Limit: 250, Expires: time.Now().Add(time.Hour)}
		_, err := s.Put(t.Context(), record)
		require.NoError(t, err)
	}
	for i := range 10 {
		put(fmt.Sprint("few", i), fmt.Sprint("few", i/2))
	}
	for i := range 300 {
		put(fmt.Sprint("many", i), "many")
	}
	left := 0
	for i := range 300 {
		if _, err := s.Get(t.Context(), "k", fmt.Sprint("many", i)); err == nil {
			left++
		}
	}
	assert.GreaterOrEqual(t, left, 238)
	assert.LessOrEqual(t, left, 240)
	for i := range 10 {
		_, err := s.Get(t.Context(), "k", fmt.Sprint("few", i))
		assert.NoError(t, err, "sources with few records lose none")
	}
}

func TestFileBelongsToOwner(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	s, err := store.OpenFile(t.Context(), path, store.Config{})
	require.NoError(t, err)
	defer s.Close()
	record := store.Record{Kind: "k", Key: "a", Value: []byte("v"), Expires: time.Now().Add(time.Hour)}
	_, err = s.Put(t.Context(), record)
	require.NoError(t, err)
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	for _, name := range files {
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077, "%s has mode %s", name, info.Mode())
	}
	_, err = store.OpenFile(t.Context(), path, store.Config{})
	assert.ErrorContains(t, err, "another process has it open")

	link := filepath.Join(t.TempDir(), "link.db")
	require.NoError(t, os.Symlink(path, link))
	_, err = store.OpenFile(t.Context(), link, store.Config{})
	assert.ErrorContains(t, err, "regular file")
}

func Example() {
	s := store.NewMemory(store.Config{})
	defer s.Close()
	ctx := context.Background()
	tomorrow := time.Now().Add(24 * time.Hour)
	record := store.Record{Kind: "grant", Key: "g1", Value: []byte("first"), Expires: tomorrow}
	version, err := s.Put(ctx, record)
	fmt.Println(version, err)
	record.Value = []byte("second")
	record.Version = 1
	version, err = s.Put(ctx, record)
	fmt.Println(version, err)
	record.Value = []byte("another change of version 1")
	_, err = s.Put(ctx, record)
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// 2 <nil>
	// store: the record was changed meanwhile
}
