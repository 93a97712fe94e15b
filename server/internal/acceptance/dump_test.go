package acceptance_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mcpentra/server/internal/engine"
	"mcpentra/server/store"
	"mcpentra/server/store/postgres"
	"mcpentra/server/store/redis"
)

// A dumper returns all that a store keeps, by place.
type dumper func(t *testing.T, shared store.Store) map[string]string

var dumpedStores = []struct {
	name string
	open func(t *testing.T) (opener, dumper)
}{
	{"memory", func(t *testing.T) (opener, dumper) { return opensMemory(t), dumpRecords }},
	{"file", dumpsFile},
	{"PostgreSQL", dumpsPostgres},
	{"Redis", dumpsRedis},
}

// dumpRecords returns the records as the store returns them, and an export with decoded values.
func dumpRecords(t *testing.T, shared store.Store) map[string]string {
	var records strings.Builder
	add := func(record store.Record) error {
		_, err := fmt.Fprintln(&records, record.Kind, record.Key, record.Source, record.Group, string(record.Value))
		return err
	}
	require.NoError(t, store.Walk(t.Context(), shared, add))
	dumps := map[string]string{"the records": records.String()}
	var export bytes.Buffer
	_, err := store.Export(t.Context(), shared, &export, nil)
	require.NoError(t, err)
	text := export.String()
	records.Reset()
	_, err = store.ReadExport(&export, add)
	require.NoError(t, err)
	dumps["the export"] = text + records.String()
	return dumps
}

// dumpFiles adds the contents of all files in a folder. It returns the number of bytes.
func dumpFiles(t *testing.T, folder string) string {
	var all strings.Builder
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil // the engine deletes files, and has sockets
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		all.Write(text)
		return nil
	}))
	return all.String()
}

func dumpsFile(t *testing.T) (opener, dumper) {
	folder := t.TempDir()
	open := func(now func() time.Time) store.Store {
		opened, err := store.OpenFile(t.Context(), filepath.Join(folder, "s.db"), store.Config{Now: now})
		require.NoError(t, err)
		t.Cleanup(func() { _ = opened.Close() })
		return opened
	}
	return open, func(t *testing.T, shared store.Store) map[string]string {
		dumps := dumpRecords(t, shared)
		dumps["the files"] = dumpFiles(t, folder)
		return dumps
	}
}

func dumpsPostgres(t *testing.T) (opener, dumper) {
	server := engine.StartPostgres(t, engine.Unsafe...)
	address := server.URL("postgres")
	open := func(now func() time.Time) store.Store {
		opened, err := postgres.Open(t.Context(), postgres.Config{URL: address, Config: store.Config{Now: now}})
		require.NoError(t, err)
		t.Cleanup(func() { _ = opened.Close() })
		return opened
	}
	return open, func(t *testing.T, shared store.Store) map[string]string {
		dumps := dumpRecords(t, shared)
		dumps["the rows"] = dumpRows(t, address)
		server.Run(t, "CHECKPOINT")
		dumps["the files"] = dumpFiles(t, server.Folder)
		return dumps
	}
}

// dumpRows returns the rows of all tables.
func dumpRows(t *testing.T, address string) string {
	ctx := t.Context()
	connection, err := pgx.Connect(ctx, address)
	require.NoError(t, err)
	defer connection.Close(context.WithoutCancel(ctx))
	rows, err := connection.Query(ctx, `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename)
		FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.NotEmpty(t, tables)
	var all strings.Builder
	for _, table := range tables {
		rows, err := connection.Query(ctx, "SELECT * FROM "+table)
		require.NoError(t, err)
		for rows.Next() {
			values, err := rows.Values()
			require.NoError(t, err)
			for _, value := range values {
				if raw, isBytes := value.([]byte); isBytes {
					value = string(raw)
				}
				fmt.Fprintln(&all, value)
			}
		}
		require.NoError(t, rows.Err())
	}
	return all.String()
}

func dumpsRedis(t *testing.T) (opener, dumper) {
	server := engine.StartRedis(t)
	open := func(now func() time.Time) store.Store {
		opened, err := redis.Open(t.Context(), redis.Config{URL: server.URL("dumped"), Config: store.Config{Now: now}})
		require.NoError(t, err)
		t.Cleanup(func() { _ = opened.Close() })
		return opened
	}
	return open, func(t *testing.T, shared store.Store) map[string]string {
		dumps := dumpRecords(t, shared)
		server.Run(t, "SAVE") // beside the append-only file
		dumps["the files"] = dumpFiles(t, server.Folder)
		return dumps
	}
}
