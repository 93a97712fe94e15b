package redis_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/internal/engine"
	"mcpentra/server/store"
)

// A writer changes one record again and again. It knows the last version that the store has
// acknowledged.
type writer struct {
	key          string
	acknowledged int64
}

// enoughWrites is how often each writer writes before the crash.
const enoughWrites = 5

// write calls begun after enoughWrites, or when it ends before that.
func (w *writer) write(ctx context.Context, s store.Store, begun func()) {
	begun = sync.OnceFunc(begun)
	defer begun()
	made := record(w.key, "v")
	for n := 0; ctx.Err() == nil; n++ {
		if n == enoughWrites {
			begun()
		}
		made.Version = w.acknowledged
		version, err := s.Put(context.Background(), made)
		if err != nil {
			return // the engine was killed; a change may have been made
		}
		w.acknowledged = version
	}
}

// writeUntil lets several writers write until crash has returned.
func writeUntil(t *testing.T, s store.Store, crash func()) []*writer {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all, begun sync.WaitGroup
	writers := make([]*writer, 8)
	begun.Add(len(writers))
	for i := range writers {
		writers[i] = &writer{key: fmt.Sprint("writer", i)}
		made := record(writers[i].key, "v")
		version, err := s.Put(t.Context(), made)
		require.NoError(t, err)
		writers[i].acknowledged = version
		all.Go(func() { writers[i].write(ctx, s, begun.Done) })
	}
	begun.Wait()
	crash()
	cancel()
	all.Wait()
	return writers
}

// lost counts acknowledged versions that a store does not have.
func lost(t *testing.T, s store.Store, writers []*writer) (lost int64) {
	t.Helper()
	for _, w := range writers {
		found, err := s.Get(t.Context(), "k", w.key)
		if err != nil {
			require.ErrorIs(t, err, store.ErrNotFound)
			lost += w.acknowledged
			continue
		}
		lost += max(0, w.acknowledged-found.Version)
	}
	return lost
}

// once puts a record that must not come back.
func once(t *testing.T, s store.Store, key string) {
	t.Helper()
	made := record(key, "v")
	made.Once = true
	_, err := s.Put(t.Context(), made)
	require.NoError(t, err)
}

// isVoid checks that a record with the mark Once does not exist, and that its key is free.
func isVoid(t *testing.T, s store.Store, key string) {
	t.Helper()
	_, err := s.Get(t.Context(), "k", key)
	assert.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.Take(t.Context(), "k", key)
	assert.ErrorIs(t, err, store.ErrNotFound)
	changed := record(key, "w")
	changed.Version = 1
	_, err = s.Put(t.Context(), changed)
	assert.ErrorIs(t, err, store.ErrConflict)
	once(t, s, key)
	_, err = s.Take(t.Context(), "k", key)
	assert.NoError(t, err)
}

func TestKilledEngineKeepsRecords(t *testing.T) {
	t.Parallel()
	server := engine.StartRedis(t)
	s := open(t, socketURL(server))
	once(t, s, "code")
	once(t, s, "other code")
	writers := writeUntil(t, s, func() { server.Kill(t) })
	server.Start(t)
	assert.Zero(t, lost(t, s, writers))
	isVoid(t, s, "code")
	page, err := s.List(t.Context(), store.Query{Kind: "k"})
	require.NoError(t, err)
	assert.Len(t, page, len(writers), "a list has no void record")
}

// TestFailoverKeepsRecords kills the primary while several write. With wait=1 nothing is lost.
func TestFailoverKeepsRecords(t *testing.T) {
	t.Parallel()
	acknowledged, lost := failover(t, "?wait_time=4s", "min-replicas-to-write 1")
	assert.Zero(t, lost, "of %d", acknowledged)
}

// TestFailoverCrashesWithoutWait reports how many writes a failover loses without wait=1.
func TestFailoverCrashesWithoutWait(t *testing.T) {
	t.Parallel()
	if os.Getenv("CRASHES") != "full" {
		t.Skip("measures and judges nothing: make crashes runs it")
	}
	for range 10 {
		acknowledged, lost := failover(t, "?wait=0", "min-replicas-to-write 0")
		t.Logf("%d of %d acknowledged writes were lost", lost, acknowledged)
	}
}

// failover kills a primary while several write, and waits until a replica has taken over. It counts
// the acknowledged writes, and those among them that were lost.
func failover(t *testing.T, query, setting string) (acknowledged, missing int64) {
	t.Helper()
	primary := engine.StartRedis(t, setting, "appendfsync no")
	for range 2 { // the second one lets the new primary take writes
		primary.StartReplica(t, setting, "appendfsync no")
	}
	sentinel := primary.StartSentinel(t, 1500*time.Millisecond)
	sentinel.Becomes(t, "num-slaves 2", "SENTINEL", "MASTERS")
	s := open(t, fresh("redis+sentinel://"+sentinel.Address()+"/primary"+query))
	once(t, s, "code")
	writers := writeUntil(t, s, func() { primary.Kill(t) })
	require.Eventually(t, func() bool {
		_, err := s.Put(t.Context(), record("after", "v"))
		return err == nil
	}, time.Minute, 50*time.Millisecond)
	isVoid(t, s, "code")
	for _, w := range writers {
		acknowledged += w.acknowledged
	}
	return acknowledged, lost(t, s, writers)
}

// TestFailoverBackVoidsCode promotes a replica, and then the old primary without a restart.
func TestFailoverBackVoidsCode(t *testing.T) {
	t.Parallel()
	first := engine.StartRedis(t, "appendfsync no")
	s := open(t, first.URL("own"))
	once(t, s, "code")
	second := first.StartReplica(t, "appendfsync no")
	first.Run(t, "REPLICAOF", "127.0.0.1", "1")
	second.Run(t, "REPLICAOF", "NO", "ONE")
	first.Run(t, "REPLICAOF", "127.0.0.1", second.Port)
	first.Becomes(t, "master_link_status:up", "INFO", "replication")
	first.Run(t, "REPLICAOF", "NO", "ONE")
	isVoid(t, s, "code")
}
