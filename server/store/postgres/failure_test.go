package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/internal/engine"
	"mcpentra/server/store"
	"mcpentra/server/store/postgres"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	certificate := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(certificate, []byte("no certificate"), 0o600))
	for url, want := range map[string]string{
		"mysql://u:hush@localhost/d":                                                   "write postgres://",
		"postgres://u:hu%sh@localhost/d":                                               "write postgres://",
		"postgres://u:hush@loc alhost/d":                                               "write postgres://",
		"postgres://u:hush@localhost:port/d":                                           "write postgres://",
		"postgres://u:hush@localhost/d?sslmode=hush":                                   "write postgres://",
		"postgres://u@localhost/d?password=hush&pool_max_conns=many":                   "parsing \"many\"",
		"postgres://u:hush@db.example/d":                                               "sslmode=verify-full",
		"postgres://u:hush@localhost,db.example/d":                                     "db.example",
		"postgres://u:hush@localhost/d?sslmode=verify-full&sslrootcert=" + certificate: "write postgres://",
		"postgres://u:hush@127.0.0.1:1/d":                                              "cannot be reached",
	} {
		_, err := postgres.Open(t.Context(), postgres.Config{URL: url})
		if assert.ErrorContains(t, err, want, url) {
			assert.NotContains(t, err.Error(), "hush")
		}
	}
}

func TestPlainConnectionIsLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	config := postgres.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	config.URL = "postgres://u:hush@db.invalid/d?sslmode=disable"
	_, err := postgres.Open(t.Context(), config)
	assert.ErrorContains(t, err, "cannot be reached")
	assert.Contains(t, log.String(), "without encryption")
	log.Reset()
	config.URL = "postgres://u:hush@db.invalid/d?sslmode=require"
	_, err = postgres.Open(t.Context(), config)
	require.Error(t, err)
	assert.Contains(t, log.String(), "certificate is not checked")
	log.Reset()
	config.URL = "postgres://u:hush@db.invalid/d?sslmode=verify-full"
	_, err = postgres.Open(t.Context(), config)
	require.Error(t, err)
	assert.Empty(t, log.String())
	assert.NotContains(t, err.Error(), "hush")
}

// TestReadOnlyDatabaseIsNamed makes a database read-only, as a standby is.
func TestReadOnlyDatabaseIsNamed(t *testing.T) {
	t.Parallel()
	url := engine.Postgres(t)
	s := open(t, postgres.Config{URL: url}, true)
	execute(t, url, `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database());
		PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid();
	END $$`)
	assert.Eventually(t, func() bool { // the first call may meet a connection that has just ended
		_, err := s.Put(t.Context(), record("b", time.Hour))
		require.NotErrorIs(t, err, store.ErrConflict)
		return err != nil && strings.Contains(err.Error(), "name the primary")
	}, 30*time.Second, time.Millisecond)
	_, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	assert.ErrorContains(t, err, "name the primary")
	execute(t, url+"&default_transaction_read_only=off", `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', current_database());
	END $$`)
	_, err = s.Put(t.Context(), record("b", time.Hour))
	assert.NoError(t, err, "it looks again")
}

// TestLockedRowTimesOut changes a record that another program has locked.
func TestLockedRowTimesOut(t *testing.T) {
	t.Parallel()
	url := engine.Postgres(t)
	s := open(t, postgres.Config{URL: url}, true)
	version, err := s.Put(t.Context(), record("a", time.Hour))
	require.NoError(t, err)
	lock := hold(t, url, "SELECT FROM mcpentra_records FOR UPDATE")
	changed := record("a", time.Hour)
	changed.Version = version
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = s.Put(ctx, changed)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	// On a busy machine, the time of a call may end before the answer of PostgreSQL comes.
	for range 5 {
		_, err = s.Put(t.Context(), changed)
		require.Error(t, err)
		if !strings.Contains(err.Error(), "did not answer") {
			break
		}
	}
	assert.ErrorContains(t, err, "too slow")
	assert.NotErrorIs(t, err, store.ErrConflict)
	lock()
	_, err = s.Get(t.Context(), "k", "a")
	assert.NoError(t, err)
}

// TestEngineRestarts kills the engine while a store is open.
func TestEngineRestarts(t *testing.T) {
	t.Parallel()
	server := engine.StartPostgres(t)
	s := open(t, postgres.Config{URL: server.URL("postgres")}, true)
	_, err := s.Put(t.Context(), record("a", time.Hour))
	require.NoError(t, err)
	_, err = s.GetCached(t.Context(), "k", "a", 0)
	require.NoError(t, err)

	server.Kill(t)
	_, err = s.Get(t.Context(), "k", "a")
	assert.ErrorContains(t, err, "PostgreSQL cannot be reached")
	_, err = s.Put(t.Context(), record("b", time.Hour))
	require.Error(t, err)
	assert.NotErrorIs(t, err, store.ErrConflict)
	assert.NotErrorIs(t, err, store.ErrNotFound)
	assert.Error(t, s.Delete(t.Context(), "k", "a"))
	_, err = s.Take(t.Context(), "k", "a")
	assert.False(t, errors.Is(err, store.ErrNotFound))

	server.Start(t)
	_, err = s.Get(t.Context(), "k", "a")
	assert.NoError(t, err)
	_, err = s.Put(t.Context(), record("c", time.Hour))
	assert.NoError(t, err)
}

// TestCommitWithoutStandby cancels the wait for a synchronous standby that does not answer.
// PostgreSQL then reports a success, although a failover would lose the change.
func TestCommitWithoutStandby(t *testing.T) {
	t.Parallel()
	server := engine.StartPostgres(t, engine.Unsafe...)
	url := server.URL("postgres")
	s := open(t, postgres.Config{URL: url}, true)
	put := func(key string) error {
		ended := make(chan error, 1)
		go func() {
			_, err := s.Put(t.Context(), record(key, time.Hour))
			ended <- err
		}()
		for {
			select {
			case err := <-ended:
				return err
			default:
				query(t, url, "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
			}
		}
	}
	server.Run(t, "ALTER SYSTEM SET synchronous_standby_names = 'missing'")
	server.Run(t, "SELECT pg_reload_conf()")
	var err error
	for n := 0; n < 1000 && err == nil; n++ { // changes succeed until the server has read its settings
		err = put(fmt.Sprint(n))
	}
	require.ErrorContains(t, err, "did not reach the synchronous standby")
	_, err = s.Put(t.Context(), record("waits", time.Hour))
	assert.Error(t, err, "no standby answers within the time of a call")
}
