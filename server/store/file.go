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

// ErrInUse says that another process has the file open.
var ErrInUse = errors.New("another process has it open")

// OpenFile opens or creates a store in a file that only its owner can read. A record is on disk
// when Put returns. One process can have the file open at a time; a second one gets ErrInUse.
// Memory holds the records that were read last.
func OpenFile(ctx context.Context, path string, config Config) (Store, error) {
	if err := prepare(path); err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	pragmas := url.Values{"_pragma": {
		"busy_timeout(200)",
		"locking_mode(EXCLUSIVE)",
		"auto_vacuum(INCREMENTAL)",
		"journal_mode(WAL)",
		"synchronous(FULL)",
		"secure_delete(ON)",
	}}
	address := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + pragmas.Encode()
	db, err := sql.Open("sqlite", address)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	db.SetMaxOpenConns(1) // one connection holds the lock for as long as the store is open
	f := &file{db: db, recent: newRecent(), config: config}
	if err := f.createTables(ctx); err != nil {
		_ = db.Close()
		if strings.Contains(err.Error(), "locked") {
			err = ErrInUse
		}
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	f.shrinking, f.stopShrinking = context.WithCancel(context.Background())
	_ = f.shrink(ctx, atAnySize) // a file that stays too large works as well
	return f, nil
}

// prepare makes the folder and the file with rights for the owner only. It removes the rights of
// others to an existing file.
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

func (f *file) Get(ctx context.Context, kind, key string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, fmt.Errorf("store: %w", err)
	}
	now := f.config.Time()
	record, found, writes := f.recent.get(kind, key, now)
	if found {
		return record, nil
	}
	record, err := scan(kind, key, f.db.QueryRowContext(ctx,
		"SELECT value, version, expires, source, group_name FROM records WHERE kind = ? AND key = ? AND expires > ?",
		kind, key, now.Unix()))
	if err == nil {
		f.recent.keep(record, writes)
	}
	return record, err
}

// GetCached is Get: no other process can write the file.
func (f *file) GetCached(ctx context.Context, kind, key string) (Record, error) {
	return f.Get(ctx, kind, key)
}

func scan(kind, key string, row *sql.Row) (Record, error) {
	record := Record{Kind: kind, Key: key}
	var expires int64
	switch err := row.Scan(&record.Value, &record.Version, &expires, &record.Source, &record.Group); {
	case errors.Is(err, sql.ErrNoRows):
		return Record{}, ErrNotFound
	case err != nil:
		return Record{}, fmt.Errorf("store: %w", err)
	}
	record.Expires = time.Unix(expires, 0)
	return record, nil
}

func (f *file) Put(ctx context.Context, record Record) (int64, error) {
	if err := record.Check(); err != nil {
		return 0, err
	}
	if record.Value == nil {
		record.Value = []byte{} // nil would be NULL
	}
	defer f.shrinkSoon()
	now := f.config.Time().Unix()
	defer f.recent.forget(record.Kind, record.Key)
	if record.Version == 0 {
		return f.create(ctx, record, now)
	}
	result, err := f.db.ExecContext(ctx,
		`UPDATE records SET value = ?, version = version + 1, expires = ?, source = ?, group_name = ?
			WHERE kind = ? AND key = ? AND version = ? AND expires > ?`,
		record.Value, record.Expires.Unix(), record.Source, record.Group, record.Kind, record.Key, record.Version, now)
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	if changed, err := result.RowsAffected(); err != nil || changed != 1 {
		return 0, ErrConflict
	}
	return record.Version + 1, nil
}

func (f *file) Take(ctx context.Context, kind, key string) (Record, error) {
	defer f.recent.forget(kind, key)
	return scan(kind, key, f.db.QueryRowContext(ctx,
		`DELETE FROM records WHERE kind = ? AND key = ? AND expires > ?
			RETURNING value, version, expires, source, group_name`,
		kind, key, f.config.Time().Unix()))
}

func (f *file) Delete(ctx context.Context, kind, key string) error {
	defer f.recent.forget(kind, key)
	if _, err := f.db.ExecContext(ctx, "DELETE FROM records WHERE kind = ? AND key = ?", kind, key); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (f *file) Close() error {
	defer f.recent.forgetAll()
	f.endShrinking()
	if err := f.db.Close(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}
