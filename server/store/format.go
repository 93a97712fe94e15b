package store

import (
	"context"
	"database/sql"
	"fmt"
)

// format is the version of the tables. Format 1 had no sources, and kept records in the leaves of
// their key's index, which took several times the space.
//
// A program refuses a newer format, so a rollback must not meet one. A change that the program
// before can ignore, such as a column with a default, keeps the format (addColumns).
const format = 2

// createTables creates the tables, or converts them from an earlier format.
func (f *file) createTables(ctx context.Context) error {
	var version int
	if err := f.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > format {
		return fmt.Errorf("written by a newer version of this program (format %d, this one knows %d)", version, format)
	}
	statements := ""
	if version == 1 {
		statements = `
		ALTER TABLE records RENAME TO records_of_format_1;
		DROP INDEX records_by_expiry;`
	}
	statements += `
		CREATE TABLE IF NOT EXISTS records (
			kind TEXT NOT NULL, key TEXT NOT NULL, source TEXT NOT NULL, version INTEGER NOT NULL,
			expires INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, key)
		);
		CREATE INDEX IF NOT EXISTS records_by_expiry ON records (kind, expires);
		CREATE INDEX IF NOT EXISTS records_by_source ON records (kind, source, expires);`
	if version == 1 {
		statements += `
		INSERT INTO records (kind, key, source, version, expires, value)
			SELECT kind, key, '', version, expires, value FROM records_of_format_1;
		DROP TABLE records_of_format_1;`
	}
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // without effect after Commit
	if _, err := tx.ExecContext(ctx, statements+fmt.Sprintf("PRAGMA user_version = %d", format)); err != nil {
		return err
	}
	if err := addColumns(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// addColumns adds the columns that format 2 got later. Earlier programs with format 2 ignore them.
func addColumns(ctx context.Context, tx *sql.Tx) error {
	var columns int
	err := tx.QueryRowContext(ctx,
		"SELECT count(*) FROM pragma_table_info('records') WHERE name = 'group_name'").Scan(&columns)
	if err != nil {
		return err
	}
	statement := "CREATE INDEX IF NOT EXISTS records_by_group ON records (kind, group_name, key) WHERE group_name > ''"
	if columns == 0 {
		statement = "ALTER TABLE records ADD COLUMN group_name TEXT NOT NULL DEFAULT '';" + statement
	}
	_, err = tx.ExecContext(ctx, statement)
	return err
}
