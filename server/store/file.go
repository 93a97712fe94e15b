package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"
)

// ErrInUse says that another process has a file open.
var ErrInUse = errors.New("another process has it open")

// OpenFile opens or creates a store in a file, which only its owner can read. What was put is on
// disk when Put returns. One process can have it open at a time; a second one gets ErrInUse. What
// was read last is kept in memory.
func OpenFile(ctx context.Context, path string, config Config) (Store, error) {
	if err := prepare(path); err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	pragmas := url.Values{"_pragma": {
		"busy_timeout(200)", "locking_mode(EXCLUSIVE)", "auto_vacuum(INCREMENTAL)", "journal_mode(WAL)",
		"synchronous(FULL)", "secure_delete(ON)",
	}}
	address := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + pragmas.Encode()
	db, err := sql.Open("sqlite", address)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	db.SetMaxOpenConns(1) // one connection holds the lock for as long as the store is open
	f := &file{db: db, recent: newRecent(), config: config}
	if err := f.begin(ctx); err != nil {
		_ = db.Close()
		if strings.Contains(err.Error(), "locked") {
			err = ErrInUse
		}
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	f.shrinking, f.stopShrinking = context.WithCancel(context.Background())
	_ = f.shrink(ctx, atAnySize) // a file that is too large serves all the same
	return f, nil
}

// prepare makes the folder and the file with rights for the owner alone, and takes away others'
// rights to a file that has them.
func prepare(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		created, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		return created.Close()
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("want a regular file, not a link or a folder")
	case info.Mode().Perm()&0o077 != 0:
		return os.Chmod(path, 0o600)
	}
	return nil
}

type file struct {
	db     *sql.DB
	recent *recent
	config Config
	shrinker
}

// format is the version of the tables below. Format 1 had no sources, and kept records in the
// leaves of their key's index, which took several times the room.
const format = 2

func (f *file) begin(ctx context.Context) error {
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
	return tx.Commit()
}

func (f *file) Get(ctx context.Context, kind, key string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, fmt.Errorf("store: %w", err)
	}
	now := f.config.now()
	record, there, written := f.recent.get(kind, key, now)
	if there {
		return record, nil
	}
	record, err := scan(kind, key, f.db.QueryRowContext(ctx,
		"SELECT value, version, expires, source FROM records WHERE kind = ? AND key = ? AND expires > ?",
		kind, key, now.Unix()))
	if err == nil {
		f.recent.keep(record, written)
	}
	return record, err
}

func scan(kind, key string, row *sql.Row) (Record, error) {
	record := Record{Kind: kind, Key: key}
	var expires int64
	switch err := row.Scan(&record.Value, &record.Version, &expires, &record.Source); {
	case errors.Is(err, sql.ErrNoRows):
		return Record{}, ErrNotFound
	case err != nil:
		return Record{}, fmt.Errorf("store: %w", err)
	}
	record.Expires = time.Unix(expires, 0)
	return record, nil
}

func (f *file) Put(ctx context.Context, record Record) (int64, error) {
	if err := check(record); err != nil {
		return 0, err
	}
	if record.Value == nil {
		record.Value = []byte{} // nil would be NULL
	}
	defer f.shrinkSoon()
	now := f.config.now().Unix()
	defer f.recent.wrote(record.Kind, record.Key)
	if record.Version == 0 {
		return f.create(ctx, record, now)
	}
	result, err := f.db.ExecContext(ctx,
		`UPDATE records SET value = ?, version = version + 1, expires = ?, source = ?
			WHERE kind = ? AND key = ? AND version = ? AND expires > ?`,
		record.Value, record.Expires.Unix(), record.Source, record.Kind, record.Key, record.Version, now)
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	if changed, err := result.RowsAffected(); err != nil || changed != 1 {
		return 0, ErrConflict
	}
	return record.Version + 1, nil
}

// create inserts a record after making room for it.
func (f *file) create(ctx context.Context, record Record, now int64) (int64, error) {
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	defer tx.Rollback() // without effect after Commit
	forgotten, err := f.makeRoom(ctx, tx, record, now)
	if forgotten > 0 {
		defer f.recent.wroteMany()
	}
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	result, err := tx.ExecContext(ctx,
		`INSERT INTO records (kind, key, source, version, expires, value) VALUES (?, ?, ?, 1, ?, ?)
			ON CONFLICT DO NOTHING`,
		record.Kind, record.Key, record.Source, record.Expires.Unix(), record.Value)
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	if created, err := result.RowsAffected(); err != nil || created != 1 {
		return 0, ErrConflict
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	return 1, nil
}

// maxForgotten bounds the records that one new record can push out. There is more than one only if
// a bound was lowered.
const maxForgotten = 100

// makeRoom deletes what has expired under the key of a record that is created, and from a full kind
// what has to go. It returns how many records went.
func (f *file) makeRoom(ctx context.Context, tx *sql.Tx, created Record, now int64) (forgotten int64, err error) {
	forget := func(statement string, arguments ...any) error {
		result, err := tx.ExecContext(ctx, statement, arguments...)
		if err != nil {
			return err
		}
		gone, err := result.RowsAffected()
		forgotten += gone
		return err
	}
	err = forget("DELETE FROM records WHERE kind = ? AND key = ? AND expires <= ?", created.Kind, created.Key, now)
	for range maxForgotten {
		if err != nil {
			return forgotten, err
		}
		var records, sourced int
		err = tx.QueryRowContext(ctx, `SELECT count(*), count(nullif(source, ''))
			FROM records INDEXED BY records_by_source WHERE kind = ? AND expires > ?`,
			created.Kind, now).Scan(&records, &sourced)
		switch {
		case err != nil:
			return forgotten, err
		case !f.config.full(created, records, sourced):
			return forgotten, nil
		case sourced == 0:
			err = forget(`DELETE FROM records WHERE rowid = (
				SELECT rowid FROM records WHERE kind = ?1 AND expires > ?2 ORDER BY expires LIMIT 1)`,
				created.Kind, now)
		default:
			var source string
			var surplus int
			if source, surplus, err = largestSource(ctx, tx, created.Kind, now); err != nil {
				return forgotten, err
			}
			// Counting the sources takes long. So a hundredth of a large kind goes at once, if one
			// source has so many more than every other.
			err = forget(`DELETE FROM records WHERE rowid IN (
				SELECT rowid FROM records INDEXED BY records_by_source
				WHERE kind = ? AND source = ? AND expires > ? ORDER BY expires LIMIT ?)`,
				created.Kind, source, now, max(1, min(surplus, sourced/100)))
		}
	}
	return forgotten, err
}

// largestSource is the source with the most records of a kind, and how many it has more than the
// next.
func largestSource(ctx context.Context, tx *sql.Tx, kind string, now int64) (source string, surplus int, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT source, count(*) FROM records INDEXED BY records_by_source
		WHERE kind = ? AND source > '' AND expires > ? GROUP BY source ORDER BY count(*) DESC, min(expires) LIMIT 2`,
		kind, now)
	if err != nil {
		return "", 0, err
	}
	defer rows.Close()
	for first := true; rows.Next(); first = false {
		var name string
		var records int
		if err := rows.Scan(&name, &records); err != nil {
			return "", 0, err
		}
		if first {
			source = name
			surplus = records
		} else {
			surplus -= records
		}
	}
	return source, surplus, rows.Err()
}

func (f *file) Take(ctx context.Context, kind, key string) (Record, error) {
	defer f.recent.wrote(kind, key)
	return scan(kind, key, f.db.QueryRowContext(ctx,
		"DELETE FROM records WHERE kind = ? AND key = ? AND expires > ? RETURNING value, version, expires, source",
		kind, key, f.config.now().Unix()))
}

func (f *file) Delete(ctx context.Context, kind, key string) error {
	defer f.recent.wrote(kind, key)
	if _, err := f.db.ExecContext(ctx, "DELETE FROM records WHERE kind = ? AND key = ?", kind, key); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (f *file) Close() error {
	defer f.recent.wroteMany()
	f.endShrinking()
	if err := f.db.Close(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}
