package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCountsFollowChanges changes records at random, and compares the counts in memory with those
// in the file.
func TestCountsFollowChanges(t *testing.T) {
	t.Parallel()
	seconds := int64(0)
	now := func() time.Time { return time.Unix(1_800_000_000+seconds, 0) }
	opened, err := OpenFile(t.Context(), filepath.Join(t.TempDir(), "s.db"), Config{MaxRecords: 20, Now: now})
	require.NoError(t, err)
	defer opened.Close()
	f := opened.(*file)
	random := rand.New(rand.NewPCG(1, 2))
	for range 600 {
		key := fmt.Sprint(random.IntN(40))
		switch random.IntN(8) {
		case 0:
			_, err = f.Take(t.Context(), "k", key)
		case 1:
			err = f.Delete(t.Context(), "k", key)
		case 2:
			seconds++
		default:
			record, _ := f.Get(t.Context(), "k", key)
			record.Kind = "k"
			record.Key = key
			record.Source = []string{"", "a", "b"}[random.IntN(3)]
			record.Limit = 10
			record.Expires = now().Add(time.Duration(1+random.IntN(30)) * time.Second)
			_, err = f.Put(t.Context(), record)
			require.NoError(t, err)
		}
		if err != nil {
			require.ErrorIs(t, err, ErrNotFound)
		}
	}
	var inFile count
	f.turn <- struct{}{}
	defer f.endTurn()
	require.NoError(t, f.statements.count.QueryRow("k").Scan(&inFile.records, &inFile.sourced))
	assert.Equal(t, inFile, f.counts["k"])
	assert.LessOrEqual(t, inFile.records, 20)
}

// TestCancelledWritesHappenOrNot cancels some of many writes that wait for one transaction. No
// other write fails because of that.
func TestCancelledWritesHappenOrNot(t *testing.T) {
	t.Parallel()
	f, err := OpenFile(t.Context(), filepath.Join(t.TempDir(), "s.db"), Config{})
	require.NoError(t, err)
	defer f.Close()
	cancelled, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			ctx := t.Context()
			if i%2 == 1 {
				ctx = cancelled
			}
			if i == 32 {
				cancel()
			}
			record := Record{Kind: "k", Key: fmt.Sprint(i), Value: []byte("whole"), Expires: time.Now().Add(time.Hour)}
			_, err := f.Put(ctx, record)
			switch {
			case i%2 == 0:
				assert.NoError(t, err)
			case err != nil:
				assert.ErrorIs(t, err, context.Canceled)
			}
			found, errGet := f.Get(t.Context(), "k", record.Key)
			isMissing := errors.Is(errGet, ErrNotFound)
			assert.True(t, isMissing || string(found.Value) == "whole", "%v %v", found, errGet)
			assert.False(t, err == nil && isMissing, "a write that succeeded is missing")
		})
	}
	all.Wait()
	cancel()
}
