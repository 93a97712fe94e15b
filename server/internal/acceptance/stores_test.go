package acceptance_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9/logging"
	"github.com/stretchr/testify/require"

	"mcpentra/server/internal/engine"
	"mcpentra/server/store"
	"mcpentra/server/store/postgres"
	"mcpentra/server/store/redis"
)

func TestMain(m *testing.M) {
	logging.Disable()                  // of go-redis
	_ = flag.Set("rapid.checks", "50") // the command line may say more
	os.Exit(m.Run())
}

// full returns how often a test does something: a few times, or as often as HISTORIES=full says
// (make histories).
func full(few, many int) int {
	if os.Getenv("HISTORIES") == "full" {
		return many
	}
	return few
}

// An opener opens the stores of the replicas of one world.
type opener func(now func() time.Time) store.Store

// opensMemory opens one store in memory for all replicas.
func opensMemory(*testing.T) opener {
	var shared store.Store
	return func(now func() time.Time) store.Store {
		if shared == nil {
			shared = store.NewMemory(store.Config{Now: now})
		}
		return shared
	}
}

// opensFile opens one store in a file for all replicas.
func opensFile(t *testing.T) opener {
	var shared store.Store
	return func(now func() time.Time) store.Store {
		if shared == nil {
			opened, err := store.OpenFile(t.Context(), filepath.Join(t.TempDir(), "s.db"), store.Config{Now: now})
			require.NoError(t, err)
			t.Cleanup(func() { _ = opened.Close() })
			shared = opened
		}
		return shared
	}
}

// opensPostgres opens a store of its own for each replica, in one new database.
func opensPostgres(t *testing.T) opener {
	url := engine.Postgres(t)
	return func(now func() time.Time) store.Store {
		opened, err := postgres.Open(t.Context(), postgres.Config{URL: url, Config: store.Config{Now: now}})
		require.NoError(t, err)
		t.Cleanup(func() { _ = opened.Close() })
		return opened
	}
}

// opensRedis opens a store of its own for each replica, under one new prefix.
func opensRedis(t *testing.T) opener {
	url := engine.Redis(t)
	return func(now func() time.Time) store.Store {
		opened, err := redis.Open(t.Context(), redis.Config{URL: url, Config: store.Config{Now: now}})
		require.NoError(t, err)
		t.Cleanup(func() { _ = opened.Close() })
		return opened
	}
}

// A storeKind is a kind of store.
type storeKind struct {
	name string
	open func(t *testing.T) opener
	far  bool // each call goes to another process
}

var stores = []storeKind{
	{"memory", opensMemory, false},
	{"file", opensFile, false},
	{"PostgreSQL", opensPostgres, true},
	{"Redis", opensRedis, true},
}

// eachStore runs a test with each store. PostgreSQL takes seconds to start, so only the full form
// has it.
func eachStore(t *testing.T, test func(t *testing.T, kind storeKind)) {
	for _, kind := range stores {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			if kind.name == "PostgreSQL" && full(0, 1) == 0 {
				t.Skip("make histories runs it")
			}
			test(t, kind)
		})
	}
}
