package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/store"
)

// A clock can be set forward.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(1_800_000_000+c.offset.Load(), 0) }

func (c *clock) later(d time.Duration) { c.offset.Add(int64(d.Seconds())) }

// fill puts records whose keys have no order. Every second record lives for ten years. If both is
// set, the others live for an hour; otherwise fill leaves them out.
func fill(t *testing.T, s store.Store, c *clock, size int, both bool) (kept int64) {
	for i := range 300 {
		sum := sha256.Sum256(fmt.Append(nil, i))
		record := store.Record{
			Kind:    "k" + fmt.Sprint(i%3),
			Key:     hex.EncodeToString(sum[:16]),
			Source:  fmt.Sprint(i % 7),
			Value:   bytes.Repeat(sum[:1], size/2+i%size),
			Expires: c.now().Add(time.Hour),
		}
		if i%2 == 0 {
			record.Expires = c.now().AddDate(10, 0, 0)
			kept += int64(len(record.Value) + len(record.Key))
		} else if !both {
			continue
		}
		_, err := s.Put(t.Context(), record)
		require.NoError(t, err)
	}
	return kept
}

func sizeOf(t *testing.T, path string) (total int64) {
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	for _, name := range files {
		info, err := os.Stat(name)
		require.NoError(t, err)
		total += info.Size()
	}
	return total
}

// TestFileShrinks compares a file in which half of the records have expired with a file that never
// had them.
func TestFileShrinks(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T, c *clock) (store.Store, string) {
		path := filepath.Join(t.TempDir(), "s.db")
		s, err := store.OpenFile(t.Context(), path, store.Config{Now: c.now})
		require.NoError(t, err)
		return s, path
	}
	for _, size := range []int{1000, 2100, 6000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			c := &clock{}
			never, path := open(t, c)
			kept := fill(t, never, c, size, false)
			require.NoError(t, never.Close())
			want := sizeOf(t, path)

			running, path := open(t, c)
			fill(t, running, c, size, true)
			c.later(2 * time.Hour)
			_, err := running.Put(t.Context(), store.Record{Kind: "other", Key: "one", Expires: c.now().Add(time.Hour)})
			require.NoError(t, err)
			require.NoError(t, running.Close())
			got := sizeOf(t, path)
			t.Logf("records %d, never had the others %d, shrunk %d", kept, want, got)
			assert.LessOrEqual(t, float64(got), 1.5*float64(want), "after a run in use")

			reopened, path := open(t, c)
			fill(t, reopened, c, size, true)
			require.NoError(t, reopened.Close())
			c.later(2 * time.Hour)
			again, err := store.OpenFile(t.Context(), path, store.Config{Now: c.now})
			require.NoError(t, err)
			require.NoError(t, again.Close())
			assert.LessOrEqual(t, float64(sizeOf(t, path)), 1.5*float64(want), "after opening")
		})
	}
}

// TestOpenFileReadsFormat1 opens a file of an earlier version.
func TestOpenFileReadsFormat1(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=auto_vacuum(INCREMENTAL)")
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), `
		CREATE TABLE records (
			kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, version INTEGER NOT NULL,
			expires INTEGER NOT NULL, PRIMARY KEY (kind, key)
		) WITHOUT ROWID;
		CREATE INDEX records_by_expiry ON records (kind, expires);
		INSERT INTO records VALUES ('k', 'a', x'6b657074', 7, 4000000000), ('k', 'b', x'6f6c64', 1, 1000000000);
		PRAGMA user_version = 1`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	for range 2 {
		s, err := store.OpenFile(t.Context(), path, store.Config{})
		require.NoError(t, err)
		record, err := s.Get(t.Context(), "k", "a")
		require.NoError(t, err)
		assert.Equal(t, "kept", string(record.Value))
		assert.EqualValues(t, 7, record.Version)
		_, err = s.Get(t.Context(), "k", "b")
		assert.ErrorIs(t, err, store.ErrNotFound)
		require.NoError(t, s.Close())
	}
}

// TestCloseStopsShrinking closes a store just after a run has started, several times.
func TestCloseStopsShrinking(t *testing.T) {
	t.Parallel()
	c := &clock{}
	path := filepath.Join(t.TempDir(), "s.db")
	for i := range 5 {
		s, err := store.OpenFile(context.Background(), path, store.Config{Now: c.now})
		require.NoError(t, err)
		c.later(time.Hour)
		_, err = s.Put(t.Context(), store.Record{Kind: "k", Key: fmt.Sprint(i), Expires: c.now().Add(time.Minute)})
		require.NoError(t, err)
		require.NoError(t, s.Close())
		_, err = s.Put(t.Context(), store.Record{Kind: "k", Key: "late", Expires: c.now().Add(time.Minute)})
		assert.Error(t, err)
	}
}
