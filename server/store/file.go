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

// OpenFile opens or creates a store in a file, which only its owner can read. What was put is on disk when Put returns.
// One process can have it open at a time; a second one gets ErrInUse. What was read last is kept in memory.
func OpenFile(ctx context.Context, path string, config Config) (Store, error) {
	if err := prepare(path); err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	pragmas := url.Values{"_pragma": {
		"busy_timeout(200)", "locking_mode(EXCLUSIVE)", "journal_mode(WAL)", "synchronous(FULL)", "auto_vacuum(INCREMENTAL)", "secure_delete(ON)",
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
	return f, nil
}

// prepare makes the folder and the file with rights for the owner alone, and takes away others' rights to a file that
// has them.
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
}

// format is the version of the tables below.
const format = 1

func (f *file) begin(ctx context.Context) error {
	var version int
	if err := f.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > format {
		return fmt.Errorf("written by a newer version of this program (format %d, this one knows %d)", version, format)
	}
	_, err := f.db.ExecContext(ctx, fmt.Sprintf(`
		CREATE TABLE IF NOT EXISTS records (
			kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, version INTEGER NOT NULL, expires INTEGER NOT NULL,
			PRIMARY KEY (kind, key)
		) WITHOUT ROWID;
		CREATE INDEX IF NOT EXISTS records_by_expiry ON records (kind, expires);
		PRAGMA user_version = %d`, format))
	return err
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
		"SELECT value, version, expires FROM records WHERE kind = ? AND key = ? AND expires > ?", kind, key, now.Unix()))
	if err == nil {
		f.recent.keep(record, written)
	}
	return record, err
}

func scan(kind, key string, row *sql.Row) (Record, error) {
	record := Record{Kind: kind, Key: key}
	var expires int64
	switch err := row.Scan(&record.Value, &record.Version, &expires); {
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
	now := f.config.now().Unix()
	defer f.recent.wrote(record.Kind, record.Key)
	if record.Version == 0 {
		return f.create(ctx, record, now)
	}
	result, err := f.db.ExecContext(ctx,
		"UPDATE records SET value = ?, version = version + 1, expires = ? WHERE kind = ? AND key = ? AND version = ? AND expires > ?",
		record.Value, record.Expires.Unix(), record.Kind, record.Key, record.Version, now)
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	if changed, err := result.RowsAffected(); err != nil || changed != 1 {
		return 0, ErrConflict
	}
	return record.Version + 1, nil
}

// create inserts a record after making room for it: what has expired goes first, then what would expire next.
func (f *file) create(ctx context.Context, record Record, now int64) (int64, error) {
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	defer tx.Rollback() // without effect after Commit
	for _, statement := range []struct {
		text      string
		arguments []any
	}{
		{`DELETE FROM records WHERE kind = ?1 AND key IN (SELECT key FROM records WHERE kind = ?1 AND expires <= ?2 ORDER BY expires LIMIT 100)`,
			[]any{record.Kind, now}},
		{`DELETE FROM records WHERE kind = ? AND key = ? AND expires <= ?`, []any{record.Kind, record.Key, now}},
		{`DELETE FROM records WHERE kind = ?1 AND key IN (SELECT key FROM records WHERE kind = ?1 ORDER BY expires
			LIMIT max(0, (SELECT count(*) FROM records WHERE kind = ?1) - ?2))`, []any{record.Kind, f.config.room(record) - 1}},
	} {
		result, err := tx.ExecContext(ctx, statement.text, statement.arguments...)
		if err != nil {
			return 0, fmt.Errorf("store: %w", err)
		}
		if gone, err := result.RowsAffected(); err != nil || gone > 0 {
			defer f.recent.wroteMany()
		}
	}
	result, err := tx.ExecContext(ctx, "INSERT INTO records (kind, key, value, version, expires) VALUES (?, ?, ?, 1, ?) ON CONFLICT DO NOTHING",
		record.Kind, record.Key, record.Value, record.Expires.Unix())
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

func (f *file) Take(ctx context.Context, kind, key string) (Record, error) {
	defer f.recent.wrote(kind, key)
	return scan(kind, key, f.db.QueryRowContext(ctx,
		"DELETE FROM records WHERE kind = ? AND key = ? AND expires > ? RETURNING value, version, expires", kind, key, f.config.now().Unix()))
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
	if err := f.db.Close(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}
