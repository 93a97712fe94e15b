package store

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// explain adds the file to an error of SQLite, and says what to do about the disk. The store
// continues as soon as the disk does.
func (f *file) explain(err error) error { return explain(f.path, err) }

func explain(path string, err error) error {
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) {
		return err
	}
	advice := ""
	var failed *sqlite.Error
	if errors.As(err, &failed) {
		switch failed.Code() & 0xff { // the rest of an extended code tells the system call
		case sqlite3.SQLITE_FULL:
			advice = "its disk is full: free some space there, and the server continues: "
		case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
			advice = "it cannot be written: make its disk and folder writable for this user: "
		case sqlite3.SQLITE_IOERR:
			advice = "its disk fails: check that it is mounted, writable and healthy: "
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			advice = "it is damaged: restore it from a backup: "
		}
	}
	return fmt.Errorf("store %s: %s%w", path, advice, err)
}
