package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"mcpentra/server/internal/engine"
	"mcpentra/server/store"
	"mcpentra/server/store/postgres"
	"mcpentra/server/store/storetest"
)

// The engine that the tests share ends with the process.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait"))
}

func TestKeepsContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, config store.Config) store.Store {
		return open(t, postgres.Config{URL: engine.Postgres(t), Config: config}, false)
	})
}

// open opens a store, and closes it at the end of the test if told so.
func open(t *testing.T, config postgres.Config, closes bool) store.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), config)
	require.NoError(t, err)
	if closes {
		t.Cleanup(func() { assert.NoError(t, s.Close()) })
	}
	return s
}

func record(key string, lives time.Duration) store.Record {
	return store.Record{Kind: "k", Key: key, Value: []byte("v"), Expires: time.Now().Add(lives)}
}

// query runs a query that returns one number.
func query(t *testing.T, url, statement string) (number int) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer connection.Close(context.Background())
	require.NoError(t, connection.QueryRow(t.Context(), statement).Scan(&number))
	return number
}

// execute runs a statement.
func execute(t *testing.T, url, statement string) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer connection.Close(context.Background())
	_, err = connection.Exec(t.Context(), statement)
	require.NoError(t, err)
}

// TestLargeKindIsBounded fills a kind with records of one source, beside a few of others.
func TestLargeKindIsBounded(t *testing.T) {
	t.Parallel()
	url := engine.Postgres(t)
	s := open(t, postgres.Config{URL: url, Config: store.Config{MaxRecords: 1500}}, true)
	put := func(key, source string) {
		made := record(key, time.Hour)
		made.Source = source
		made.Limit = 1200
		_, err := s.Put(t.Context(), made)
		require.NoError(t, err)
	}
	for i := range 10 {
		put(fmt.Sprint("few", i), fmt.Sprint("few", i/2))
	}
	for i := range 1400 {
		put(fmt.Sprint("many", i), "many")
	}
	kept := query(t, url, "SELECT count(*) FROM mcpentra_records")
	assert.LessOrEqual(t, kept, 1200)
	assert.Greater(t, kept, 1180, "it forgets a hundredth at once")
	for i := range 10 {
		_, err := s.Get(t.Context(), "k", fmt.Sprint("few", i))
		assert.NoError(t, err, "sources with few records lose none")
	}
	for i := range 500 {
		_, err := s.Put(t.Context(), record(fmt.Sprint("without", i), 2*time.Hour))
		require.NoError(t, err)
	}
	assert.LessOrEqual(t, query(t, url, "SELECT count(*) FROM mcpentra_records"), 1500)
	assert.Equal(t, 500, query(t, url, "SELECT count(*) FROM mcpentra_records WHERE source = ''"))
}

// Example opens a store as each replica does. The URL does not say whether others can read the
// network between the server and the database, so Open refuses it.
func Example() {
	config := postgres.Config{URL: "postgres://user:secret@db.example/mcp"}
	_, err := postgres.Open(context.Background(), config)
	text, _, _ := strings.Cut(err.Error(), ": add ")
	fmt.Println(text)
	// Output:
	// store: the URL of PostgreSQL does not say whether the connection to db.example is encrypted
}

// hold runs a statement in a transaction that ends with release.
func hold(t *testing.T, url, statement string) (release func()) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	tx, err := connection.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), statement)
	require.NoError(t, err)
	return func() {
		require.NoError(t, tx.Rollback(t.Context()))
		require.NoError(t, connection.Close(t.Context()))
	}
}
