package redis_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/internal/engine"
	"mcpentra/server/store"
	"mcpentra/server/store/redis"
)

// TestReplicasShareStore has two processes' views of one store.
func TestReplicasShareStore(t *testing.T) {
	t.Parallel()
	url := engine.Redis(t)
	first := open(t, url)
	second := open(t, url)
	for i := range 50 {
		key := fmt.Sprint(i)
		_, err := first.Put(t.Context(), record(key, "v"))
		require.NoError(t, err)
		won := make(chan bool)
		for _, s := range []store.Store{first, second} {
			go func() {
				_, err := s.Take(context.Background(), "k", key)
				won <- err == nil
			}()
		}
		assert.NotEqual(t, <-won, <-won, "one of two takes the record")
		made, err := first.Put(t.Context(), record(key, "v"))
		require.NoError(t, err)
		require.NoError(t, second.Delete(t.Context(), "k", key))
		_, err = first.Get(t.Context(), "k", key)
		assert.ErrorIs(t, err, store.ErrNotFound, "an end is visible at once")
		changed := record(key, "w")
		changed.Version = made
		_, err = first.Put(t.Context(), changed)
		assert.ErrorIs(t, err, store.ErrConflict)
	}
}

// TestCachedRecordIsYoung reads a record that another process ends.
func TestCachedRecordIsYoung(t *testing.T) {
	t.Parallel()
	url := engine.Redis(t)
	first := open(t, url)
	second := open(t, url)
	_, err := first.Put(t.Context(), record("a", "v"))
	require.NoError(t, err)
	found, err := second.GetCached(t.Context(), "k", "a", 0)
	require.NoError(t, err)
	found.Value[0] = '!' // a reader may change its copy
	found, err = second.GetCached(t.Context(), "k", "a", 0)
	require.NoError(t, err)
	assert.Equal(t, "v", string(found.Value))
	require.NoError(t, first.Delete(t.Context(), "k", "a"))
	ended := time.Now()
	for err == nil {
		sent := time.Since(ended)
		_, err = second.GetCached(t.Context(), "k", "a", 0)
		require.True(t, err != nil || sent < store.MaxStale, "read %v after the end", sent)
	}
	assert.ErrorIs(t, err, store.ErrNotFound)
}

// TestFullKindEmptiesCache creates a record that pushes out a cached one.
func TestFullKindEmptiesCache(t *testing.T) {
	t.Parallel()
	s, err := redis.Open(t.Context(), redis.Config{
		Config: store.Config{MaxRecords: 1},
		URL:    engine.Redis(t),
	})
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Put(t.Context(), record("a", "v"))
	require.NoError(t, err)
	_, err = s.GetCached(t.Context(), "k", "a", 0)
	require.NoError(t, err)
	_, err = s.Put(t.Context(), record("b", "v"))
	require.NoError(t, err)
	_, err = s.GetCached(t.Context(), "k", "a", 0)
	assert.ErrorIs(t, err, store.ErrNotFound)
}

// TestRefusalIsNoUnknownOutcome opens a store on a primary that needs a replica to take writes.
func TestRefusalIsNoUnknownOutcome(t *testing.T) {
	t.Parallel()
	server := engine.StartRedis(t, "min-replicas-to-write 1")
	_, err := redis.Open(t.Context(), redis.Config{URL: server.URL("own")})
	assert.ErrorContains(t, err, "NOREPLICAS")
	assert.NotContains(t, err.Error(), "may have been made")
}

// TestUnsafeServersAreRefused opens stores on servers that would lose records.
func TestUnsafeServersAreRefused(t *testing.T) {
	t.Parallel()
	server := engine.StartRedis(t, "appendfsync no")
	url := socketURL(server)
	kept := open(t, url)
	replica := server.StartReplica(t, "appendfsync no")
	_, err := redis.Open(t.Context(), redis.Config{URL: socketURL(replica)})
	assert.ErrorContains(t, err, "is a replica")

	server.Run(t, "CONFIG", "SET", "appendonly", "no")
	_, err = redis.Open(t.Context(), redis.Config{URL: url})
	assert.ErrorContains(t, err, "appendonly yes")
	open(t, url+"&persistence=none")

	server.Run(t, "CONFIG", "SET", "appendonly", "yes")
	server.Run(t, "CONFIG", "SET", "maxmemory-policy", "volatile-lru")
	_, err = redis.Open(t.Context(), redis.Config{URL: url + "&persistence=none"})
	assert.ErrorContains(t, err, "noeviction")
	server.Run(t, "CLIENT", "KILL", "TYPE", "normal")
	assert.Eventually(t, func() bool {
		_, err = kept.Put(t.Context(), record("a", "v"))
		return err != nil && strings.Contains(err.Error(), "noeviction")
	}, 30*time.Second, 10*time.Millisecond, "a new connection is checked like the first")
}

// TestDemotedServerDoesNotAnswer makes the server a replica while a store is open.
func TestDemotedServerDoesNotAnswer(t *testing.T) {
	t.Parallel()
	server := engine.StartRedis(t, "appendfsync no", "replica-serve-stale-data yes")
	s := open(t, socketURL(server))
	_, err := s.Put(t.Context(), record("a", "v"))
	require.NoError(t, err)
	server.Run(t, "REPLICAOF", "127.0.0.1", "1")
	_, err = s.Get(t.Context(), "k", "a")
	require.Error(t, err)
	assert.NotErrorIs(t, err, store.ErrNotFound)
	_, err = s.Put(t.Context(), record("b", "v"))
	require.Error(t, err)
	server.Run(t, "REPLICAOF", "NO", "ONE")
	_, err = s.Get(t.Context(), "k", "a")
	assert.NoError(t, err)
}

// TestUnknownOutcomeIsAnError waits for a replica that does not exist.
func TestUnknownOutcomeIsAnError(t *testing.T) {
	t.Parallel()
	url := engine.Redis(t)
	_, err := redis.Open(t.Context(), redis.Config{URL: url + "&wait=1&wait_time=20ms"})
	require.ErrorContains(t, err, "may have been made")
	require.ErrorContains(t, err, "0 of 1 replicas")

	server := engine.StartRedis(t, "appendfsync no")
	replica := server.StartReplica(t, "appendfsync no")
	waiting := open(t, socketURL(server)+"&wait=1&wait_time=3s")
	_, err = waiting.Put(t.Context(), record("a", "v"))
	require.NoError(t, err)
	replica.Signal(t, syscall.SIGSTOP)
	var all sync.WaitGroup
	all.Go(func() {
		_, err := waiting.Put(context.Background(), record("b", "v"))
		assert.ErrorContains(t, err, "may have been made")
		assert.NotErrorIs(t, err, store.ErrConflict)
	})
	all.Go(func() {
		_, err := waiting.Take(context.Background(), "k", "a")
		assert.ErrorContains(t, err, "may have been made")
		assert.NotErrorIs(t, err, store.ErrNotFound)
	})
	all.Wait()
	_, err = waiting.Get(t.Context(), "k", "a")
	assert.ErrorIs(t, err, store.ErrNotFound)
}

// TestCallsEndWithTheirContext stops the engine without closing its connections.
func TestCallsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	server := engine.StartRedis(t, "appendfsync no")
	s := open(t, socketURL(server))
	server.Signal(t, syscall.SIGSTOP)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	began := time.Now()
	_, err := s.Put(ctx, record("a", "v"))
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "may have been made")
	assert.Less(t, time.Since(began), 4*time.Second)
	began = time.Now()
	_, err = s.Get(t.Context(), "k", "a")
	require.Error(t, err)
	assert.NotErrorIs(t, err, store.ErrNotFound)
	assert.Less(t, time.Since(began), 30*time.Second, "without a deadline of the caller")
	server.Signal(t, syscall.SIGCONT)
	assert.Eventually(t, func() bool {
		_, err := s.Put(t.Context(), record("b", "v"))
		return err == nil
	}, 30*time.Second, 10*time.Millisecond)
}

// TestExpiredRecordsLeaveNothing makes many records of many sources, and lets them expire.
func TestExpiredRecordsLeaveNothing(t *testing.T) {
	t.Parallel()
	server := engine.StartRedis(t, "appendfsync no")
	now := time.Now()
	s, err := redis.Open(t.Context(), redis.Config{
		Config: store.Config{MaxRecords: 50, Now: func() time.Time { return now }},
		URL:    socketURL(server),
	})
	require.NoError(t, err)
	defer s.Close()
	put := func(i int) {
		made := store.Record{Kind: "k", Key: fmt.Sprint(i), Source: fmt.Sprint(i % 7), Group: fmt.Sprint(i % 5)}
		made.Expires = now.Add(time.Minute)
		_, err := s.Put(t.Context(), made)
		require.NoError(t, err)
	}
	for i := range 300 {
		put(i)
	}
	page, err := s.List(t.Context(), store.Query{Kind: "k"})
	require.NoError(t, err)
	assert.Len(t, page, 50)
	now = now.Add(time.Minute)
	for i := range 25 { // each new record removes two expired ones
		put(1000 + i)
	}
	for i := range 25 {
		require.NoError(t, s.Delete(t.Context(), "k", fmt.Sprint(1000+i)))
	}
	found, err := s.Kinds(t.Context())
	require.NoError(t, err)
	assert.Empty(t, found)
	assert.Equal(t, "1", server.Run(t, "DBSIZE"), "only the version of the layout is left")
}

// TestEngineFreesExpiredRecords checks that no record lasts without a program that sweeps.
func TestEngineFreesExpiredRecords(t *testing.T) {
	t.Parallel()
	server := engine.StartRedis(t, "appendfsync no")
	s := open(t, server.URL("own"))
	_, err := s.Put(t.Context(), record("a", "v"))
	require.NoError(t, err)
	var seconds int
	_, err = fmt.Sscan(server.Run(t, "TTL", "{own}:1:k:record:a"), &seconds)
	require.NoError(t, err)
	assert.InDelta(t, 2*3600, seconds, 60)
}
