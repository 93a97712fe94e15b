package engine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/internal/engine"
)

// number runs a query for one number.
func number(t *testing.T, url, query string) (number int) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer connection.Close(context.Background())
	require.NoError(t, connection.QueryRow(t.Context(), query).Scan(&number))
	return number
}

func TestPostgresServerSurvivesKill(t *testing.T) {
	t.Parallel()
	server := engine.StartPostgres(t)
	server.Run(t, "CREATE TABLE kept AS SELECT 42 AS n")
	server.Kill(t)
	server.Start(t)
	assert.Equal(t, 42, number(t, server.URL("postgres"), "SELECT n FROM kept"))
}

func TestStandbyIsPromoted(t *testing.T) {
	t.Parallel()
	server := engine.StartPostgres(t, "synchronous_standby_names=standby", "synchronous_commit=local")
	standby := server.StartStandby(t)
	connection, err := pgx.Connect(t.Context(), server.URL("postgres"))
	require.NoError(t, err)
	defer connection.Close(context.Background())
	_, err = connection.Exec(t.Context(), "SET synchronous_commit = on")
	require.NoError(t, err)
	_, err = connection.Exec(t.Context(), "CREATE TABLE kept AS SELECT 42 AS n")
	require.NoError(t, err)
	server.Kill(t)
	standby.Promote(t)
	assert.Equal(t, 42, number(t, standby.URL("postgres"), "SELECT n FROM kept"))
}

func TestDatabasesAreEmpty(t *testing.T) {
	t.Parallel()
	for range 2 {
		url := engine.Postgres(t)
		assert.Zero(t, number(t, url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))
		connection, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		_, err = connection.Exec(t.Context(), "CREATE TABLE one ()")
		require.NoError(t, err)
		require.NoError(t, connection.Close(t.Context()))
	}
}

// Example shows a test that needs a database.
func Example() {
	test := func(t *testing.T) {
		url := engine.Postgres(t)
		_ = url // open a store there
	}
	fmt.Printf("%T\n", test)
	// Output: func(*testing.T)
}
