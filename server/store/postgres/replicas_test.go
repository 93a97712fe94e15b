package postgres_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/internal/engine"
	"mcpentra/server/store"
	"mcpentra/server/store/postgres"
	"mcpentra/server/store/storetest"
)

// twoReplicas opens two stores in one new database.
func twoReplicas(t *testing.T, config store.Config) (url string, a, b store.Store) {
	t.Helper()
	url = engine.Postgres(t)
	a = open(t, postgres.Config{URL: url, Config: config}, true)
	b = open(t, postgres.Config{URL: url, Config: config}, true)
	return url, a, b
}

// TestEndReachesOtherReplica ends records that another replica has in its cache. An end that counts
// there before the cached record is too old was announced.
func TestEndReachesOtherReplica(t *testing.T) {
	t.Parallel()
	_, a, b := twoReplicas(t, store.Config{})
	for name, end := range map[string]func(key string) error{
		"delete": func(key string) error { return a.Delete(t.Context(), "k", key) },
		"take": func(key string) error {
			_, err := a.Take(t.Context(), "k", key)
			return err
		},
	} {
		announced := false
		for round := 0; !announced; round++ {
			require.Less(t, round, 60, "no %s is announced", name)
			key := fmt.Sprint(name, round)
			_, err := a.Put(t.Context(), record(key, time.Hour))
			require.NoError(t, err)
			cached := time.Now()
			_, err = b.GetCached(t.Context(), "k", key, 0)
			require.NoError(t, err)
			require.NoError(t, end(key))
			ended := time.Now()
			for err == nil {
				_, err = b.GetCached(t.Context(), "k", key, 0)
			}
			require.ErrorIs(t, err, store.ErrNotFound)
			require.Less(t, time.Since(ended), 2*store.MaxStale)
			announced = time.Since(cached) < store.MaxStale
		}
	}
}

func TestOneReplicaWins(t *testing.T) {
	t.Parallel()
	_, a, b := twoReplicas(t, store.Config{})
	won := func(act func(s store.Store) error) int64 {
		var won atomic.Int64
		var all sync.WaitGroup
		for i := range 32 {
			replica := []store.Store{a, b}[i%2]
			all.Go(func() {
				err := act(replica)
				if err == nil {
					won.Add(1)
					return
				}
				assert.True(t, errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound), "%v", err)
			})
		}
		all.Wait()
		return won.Load()
	}
	for round := range 5 {
		made := record(fmt.Sprint(round), time.Hour)
		put := func(s store.Store) error {
			_, err := s.Put(t.Context(), made)
			return err
		}
		assert.EqualValues(t, 1, won(put), "creating")
		made.Version = 1
		assert.EqualValues(t, 1, won(put), "changing")
		assert.EqualValues(t, 1, won(func(s store.Store) error {
			_, err := s.Take(t.Context(), "k", made.Key)
			return err
		}), "taking")
	}
}

func TestReplicasAreLinearizable(t *testing.T) {
	t.Parallel()
	_, a, b := twoReplicas(t, store.Config{})
	storetest.Linearizable(t, a, b)
}

// TestBoundCountsAllReplicas fills a small kind from two replicas at once.
func TestBoundCountsAllReplicas(t *testing.T) {
	t.Parallel()
	url, a, b := twoReplicas(t, store.Config{MaxRecords: 8})
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			_, err := []store.Store{a, b}[i%2].Put(t.Context(), record(fmt.Sprint(i), time.Hour))
			assert.NoError(t, err)
		})
	}
	all.Wait()
	assert.Equal(t, 8, query(t, url, "SELECT count(*) FROM mcpentra_records"))
}

// TestExpiredRecordsAreSwept writes once after many records have expired.
func TestExpiredRecordsAreSwept(t *testing.T) {
	t.Parallel()
	var offset atomic.Int64
	start := time.Now()
	now := func() time.Time { return start.Add(time.Duration(offset.Load())) }
	url, a, b := twoReplicas(t, store.Config{Now: now})
	_, err := a.Put(t.Context(), record("short", time.Minute))
	require.NoError(t, err)
	execute(t, url, fmt.Sprintf(`INSERT INTO mcpentra_records
		SELECT 'k', convert_to('many' || n, 'UTF8'), 1, %d, '', '', '' FROM generate_series(1, 1700) AS n`,
		start.Add(time.Minute).Unix()))
	_, err = a.Put(t.Context(), record("long", time.Hour))
	require.NoError(t, err)
	offset.Store(int64(2 * time.Minute))
	for i, replica := range []store.Store{a, b} {
		_, err = replica.Put(t.Context(), record(fmt.Sprint(i), time.Hour))
		require.NoError(t, err)
	}
	assert.Eventually(t, func() bool {
		return query(t, url, "SELECT count(*) FROM mcpentra_records") == 3
	}, 30*time.Second, 20*time.Millisecond)
}

func TestReplicasCreateTablesAtOnce(t *testing.T) {
	t.Parallel()
	url := engine.Postgres(t)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			s, err := postgres.Open(t.Context(), postgres.Config{URL: url})
			if assert.NoError(t, err) {
				assert.NoError(t, s.Close())
			}
		})
	}
	all.Wait()
}

// TestTablesOfNewerProgram opens tables that a newer program has written.
func TestTablesOfNewerProgram(t *testing.T) {
	t.Parallel()
	url := engine.Postgres(t)
	s := open(t, postgres.Config{URL: url}, false)
	_, err := s.Put(t.Context(), record("a", time.Hour))
	require.NoError(t, err)
	require.NoError(t, s.Close())

	execute(t, url, "ALTER TABLE mcpentra_records ADD COLUMN later text NOT NULL DEFAULT ''")
	execute(t, url, "UPDATE mcpentra_schema SET version = 2, least = 1")
	s = open(t, postgres.Config{URL: url}, true)
	_, err = s.Get(t.Context(), "k", "a")
	assert.NoError(t, err, "a rollback by one version")
	_, err = s.Put(t.Context(), record("b", time.Hour))
	assert.NoError(t, err)

	execute(t, url, "UPDATE mcpentra_schema SET version = 3, least = 2")
	_, err = postgres.Open(t.Context(), postgres.Config{URL: url})
	assert.ErrorContains(t, err, "run the newer program")
}

// TestSchemasAreApart keeps two stores in two schemas of one database.
func TestSchemasAreApart(t *testing.T) {
	t.Parallel()
	url := engine.Postgres(t)
	execute(t, url, "CREATE SCHEMA other")
	a := open(t, postgres.Config{URL: url}, true)
	b := open(t, postgres.Config{URL: url + "&search_path=other"}, true)
	_, err := a.Put(t.Context(), record("a", time.Hour))
	require.NoError(t, err)
	_, err = b.Get(t.Context(), "k", "a")
	assert.ErrorIs(t, err, store.ErrNotFound)
	_, err = postgres.Open(t.Context(), postgres.Config{URL: url + "&search_path=missing"})
	assert.ErrorContains(t, err, "search_path")
}
