package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// The version of the tables, and the least version of a program that can use them. A program opens
// tables of a newer version if their least version allows it. So the program before still runs
// after an upgrade. A new version may only add: columns with a default, indexes, tables. A change
// that the program before cannot ignore raises least in the release after that.
const (
	schemaVersion = 1
	schemaLeast   = 1
)

// upgrades has the statements that lead from each version to the next.
//
// Keys, sources and groups may have any bytes, so they are not text. Their order is the order of
// the bytes. The values are encrypted, so compressing them would waste time.
var upgrades = [schemaVersion]string{`
	CREATE TABLE mcpentra_records (
		kind text COLLATE "C" NOT NULL,
		key bytea NOT NULL,
		version bigint NOT NULL,
		expires bigint NOT NULL,
		source bytea NOT NULL,
		group_name bytea NOT NULL DEFAULT '',
		value bytea NOT NULL,
		PRIMARY KEY (kind, key)
	) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
	ALTER TABLE mcpentra_records ALTER COLUMN value SET STORAGE EXTERNAL;
	CREATE INDEX mcpentra_records_by_expiry ON mcpentra_records (expires);
	CREATE INDEX mcpentra_records_by_source ON mcpentra_records (kind, source, expires);
	CREATE INDEX mcpentra_records_by_group ON mcpentra_records (kind, group_name, key) WHERE group_name > '';
	`}

// prepare creates or upgrades the tables, and looks at the settings of the server.
func (d *database) prepare(ctx context.Context) error {
	connection, err := d.pool.Acquire(ctx)
	if err != nil {
		return connectError{err}
	}
	defer connection.Release()
	var schema *string
	var fsync bool
	err = connection.QueryRow(ctx, "SELECT current_schema(), current_setting('fsync')::bool").Scan(&schema, &fsync)
	switch {
	case err != nil:
		return err
	case schema == nil:
		return errors.New("the search_path of the URL names no schema that exists: create it, or remove search_path")
	case !fsync:
		d.config.Logger.Warn("fsync is off in PostgreSQL: after a crash of its machine, grants may be lost and used " +
			"codes may be valid again")
	}
	d.schema = *schema
	return d.upgrade(ctx, connection.Conn())
}

// upgrade brings the tables to this program's version. One process does it at a time.
func (d *database) upgrade(ctx context.Context, connection *pgx.Conn) error {
	version, err := readVersion(ctx, connection)
	if err != nil || version >= schemaVersion {
		return err
	}
	return pgx.BeginFunc(ctx, connection, func(tx pgx.Tx) error {
		lock := fmt.Sprintf("SET LOCAL statement_timeout = %d", openTimeout.Milliseconds())
		if _, err := tx.Exec(ctx, lock); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", d.lockID("upgrade")); err != nil {
			return err
		}
		// This statement also makes PostgreSQL see tables that another process has just created.
		_, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS mcpentra_schema (version int NOT NULL, least int NOT NULL)")
		if err != nil {
			return err
		}
		version, err := readVersion(ctx, tx.Conn())
		if err != nil || version >= schemaVersion {
			return err
		}
		for _, statements := range upgrades[version:] {
			if _, err := tx.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, fmt.Sprintf(`
			DELETE FROM mcpentra_schema;
			INSERT INTO mcpentra_schema VALUES (%d, %d);`, schemaVersion, schemaLeast), pgx.QueryExecModeSimpleProtocol)
		return err
	})
}

// readVersion returns the version of the tables, or 0 before the first start. It fails if this
// program cannot use them.
func readVersion(ctx context.Context, connection *pgx.Conn) (version int, err error) {
	var exists bool
	err = connection.QueryRow(ctx, "SELECT to_regclass('mcpentra_schema') IS NOT NULL").Scan(&exists)
	if err != nil || !exists {
		return 0, err
	}
	var least int
	err = connection.QueryRow(ctx, "SELECT version, least FROM mcpentra_schema").Scan(&version, &least)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err == nil && least > schemaVersion {
		err = fmt.Errorf("a newer program wrote the tables (version %d, for programs that know version %d), and this "+
			"one knows version %d: run the newer program", version, least, schemaVersion)
	}
	return version, err
}
