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

func TestMemoryKeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(_ *testing.T, config store.Config) store.Store { return store.NewMemory(config) })
}

func TestFileKeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, config store.Config) store.Store {
		s, err := store.OpenFile(t.Context(), filepath.Join(t.TempDir(), "s.db"), config)
		require.NoError(t, err)
		return s
	})
}

func TestFileSurvivesARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "folder that is not there", "s?#%.db")
	s, err := store.OpenFile(t.Context(), path, store.Config{})
	require.NoError(t, err)
	_, err = s.Put(t.Context(), store.Record{Kind: "k", Key: "a", Value: []byte("kept"), Expires: time.Now().Add(time.Hour)})
	require.NoError(t, err)
	require.NoError(t, s.Close())

	s, err = store.OpenFile(t.Context(), path, store.Config{})
	require.NoError(t, err)
	defer s.Close()
	record, err := s.Get(t.Context(), "k", "a")
	require.NoError(t, err)
	assert.Equal(t, "kept", string(record.Value))
}

func TestFileIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	s, err := store.OpenFile(t.Context(), path, store.Config{})
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Put(t.Context(), store.Record{Kind: "k", Key: "a", Value: []byte("v"), Expires: time.Now().Add(time.Hour)})
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
	ctx, tomorrow := context.Background(), time.Now().Add(24*time.Hour)
	version, err := s.Put(ctx, store.Record{Kind: "grant", Key: "g1", Value: []byte("first"), Expires: tomorrow})
	fmt.Println(version, err)
	version, err = s.Put(ctx, store.Record{Kind: "grant", Key: "g1", Value: []byte("second"), Version: version, Expires: tomorrow})
	fmt.Println(version, err)
	_, err = s.Put(ctx, store.Record{Kind: "grant", Key: "g1", Value: []byte("from version 1"), Version: 1, Expires: tomorrow})
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// 2 <nil>
	// store: the record was changed meanwhile
}
