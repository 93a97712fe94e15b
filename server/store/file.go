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
// Memory holds the records that were read or written last. For GetCached it also holds versions.
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
	f := &file{
		path:   path,
		db:     db,
		turn:   make(chan struct{}, 1),
		counts: map[string]count{},
		crowds: map[string]*crowd{},
		recent: newRecent(),
		config: config,
	}
	if err := f.open(ctx); err != nil {
		_ = db.Close()
		if strings.Contains(err.Error(), "locked") {
			err = ErrInUse
		}
		return nil, explain(path, err)
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

// A file is a store in an SQLite file. One goroutine at a time has the turn to use the connection,
// the statements and the counts.
type file struct {
	path       string
	db         *sql.DB
	connection *sql.Conn
	statements statements
	turn       chan struct{} // has an element while a goroutine has the turn
	counts     map[string]count
	crowds     map[string]*crowd // by kind
	recent     *recent
	config     Config
	queue
	shrinker
}

// open connects to the file, creates its tables and prepares the statements.
func (f *file) open(ctx context.Context) (err error) {
	if err := f.createTables(ctx); err != nil {
		return err
	}
	f.connection, err = f.db.Conn(ctx)
	if err != nil {
		return err
	}
	return f.statements.prepare(ctx, f.connection)
}

// takeTurn waits until the caller may use the connection. The caller has to call endTurn.
func (f *file) takeTurn(ctx context.Context) error {
	select {
	case f.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("store: %w", ctx.Err())
	}
}

func (f *file) endTurn() { <-f.turn }

func (f *file) Get(ctx context.Context, kind, key string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, fmt.Errorf("store: %w", err)
	}
	if record, found := f.recent.get(kind, key, f.config.Time()); found {
		return record, nil
	}
	return f.read(ctx, kind, key, f.recent.keep)
}

// GetCached never returns an older record: no other process can write the file.
func (f *file) GetCached(ctx context.Context, kind, key string, known int64) (Record, error) {
	if known == 0 {
		return f.Get(ctx, kind, key)
	}
	if err := ctx.Err(); err != nil {
		return Record{}, fmt.Errorf("store: %w", err)
	}
	if record, found := f.recent.find(kind, key, known, f.config.Time()); found {
		return record, nil
	}
	return f.read(ctx, kind, key, f.recent.keepVersion)
}

// read reads a record from the file and lets keep remember it.
func (f *file) read(ctx context.Context, kind, key string, keep func(Record)) (Record, error) {
	if err := f.takeTurn(ctx); err != nil {
		return Record{}, err
	}
	defer f.endTurn()
	record, err := f.statements.get.record(kind, key, kind, key, f.config.Time().Unix())
	if err != nil {
		return Record{}, f.explain(err)
	}
	keep(record)
	return record, nil
}

func (f *file) Put(ctx context.Context, record Record) (int64, error) {
	if _, err := f.putInOrder(ctx, []Record{record}); err != nil {
		return 0, err
	}
	return record.Version + 1, nil
}

// own returns a record that a write keeps. The caller may change its value after a cancelled Put
// that still waits. A nil value would be NULL.
func own(record Record) Record {
	record.Value = append([]byte{}, record.Value...)
	record.Expires = time.Unix(record.Expires.Unix(), 0)
	return record
}

func (f *file) Take(ctx context.Context, kind, key string) (Record, error) {
	var taken Record
	err := f.write(ctx, func(tx *transaction) (err error) {
		taken, err = tx.take(kind, key)
		return err
	})
	if err != nil {
		return Record{}, err // a cancelled Take may still run, so taken must not be read
	}
	return taken, nil
}

func (f *file) Delete(ctx context.Context, kind, key string) error {
	return f.write(ctx, func(tx *transaction) error { return tx.remove(kind, key) })
}

func (f *file) Close() error {
	defer f.recent.forgetAll()
	f.endShrinking()
	f.endWriting()
	f.turn <- struct{}{} // a reader may have it
	defer f.endTurn()
	f.statements.close()
	err := errors.Join(f.connection.Close(), f.db.Close())
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}
