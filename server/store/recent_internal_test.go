package store

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMemoryOfRecordsIsBounded keeps more records and versions than the bounds allow.
func TestMemoryOfRecordsIsBounded(t *testing.T) {
	t.Parallel()
	r := newRecent()
	made := Record{Kind: "k", Value: make([]byte, 4096), Version: 1, Expires: time.Now().Add(time.Hour)}
	for i := range maxVersions + 100 {
		made.Key = fmt.Sprint(i)
		r.apply([]change{{record: made}})
		r.keepVersion(made)
		_, found := r.get("k", made.Key, time.Now())
		require.True(t, found, "the newest record stays")
		_, found = r.find("k", made.Key, 1, time.Now())
		require.True(t, found, "the newest version stays")
	}
	assert.Len(t, r.versions, maxVersions)
	total := 0
	for _, record := range r.records {
		total += sizeInMemory(record)
	}
	assert.Equal(t, total, r.size)
	assert.LessOrEqual(t, total, maxRecent)
	assert.Greater(t, total, maxRecent-2*sizeInMemory(made))

	r.apply([]change{{record: Record{Kind: "k", Key: made.Key}, removed: true}})
	_, found := r.find("k", made.Key, 1, time.Now())
	assert.False(t, found)
}

// TestMemoryKeepsSomeOfManyRecords reads records in turn. Half of them fit into the memory.
func TestMemoryKeepsSomeOfManyRecords(t *testing.T) {
	t.Parallel()
	r := newRecent()
	made := Record{Kind: "k", Value: make([]byte, 4096), Version: 1, Expires: time.Now().Add(time.Hour)}
	total := 2 * maxRecent / sizeInMemory(made)
	hits := 0
	for i := range 4 * total {
		made.Key = fmt.Sprint(i % total)
		if _, found := r.get("k", made.Key, time.Now()); found {
			hits++
		} else {
			r.keep(made)
		}
	}
	assert.Greater(t, hits, total/10, "of %d reads", 4*total)
}

// TestKnownVersionNeedsNoFile reads a record whose version alone is in memory, while another
// goroutine uses the file.
func TestKnownVersionNeedsNoFile(t *testing.T) {
	t.Parallel()
	opened, err := OpenFile(t.Context(), filepath.Join(t.TempDir(), "s.db"), Config{})
	require.NoError(t, err)
	defer opened.Close()
	made := Record{Kind: "k", Key: "a", Value: []byte("v"), Expires: time.Now().Add(time.Hour)}
	made.Version, err = opened.Put(t.Context(), made)
	require.NoError(t, err)
	f := opened.(*file)
	f.recent.forgetAll()
	read := func() Record {
		found, err := f.GetCached(t.Context(), "k", "a", 1)
		require.NoError(t, err)
		return found
	}
	assert.Equal(t, "v", string(read().Value), "from the file")
	f.turn <- struct{}{}
	found := read()
	f.endTurn()
	assert.EqualValues(t, 1, found.Version)
	assert.Empty(t, found.Value)

	made.Value = []byte("w")
	_, err = opened.Put(t.Context(), made)
	require.NoError(t, err)
	assert.Equal(t, "w", string(read().Value))
}
