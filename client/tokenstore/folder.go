package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

const (
	lockSuffix = ".lock"
	// lockPoll is the time between two attempts to take a lock.
	lockPoll = 5 * time.Millisecond
	// newPattern matches files that are not complete yet.
	newPattern = "new-*.tmp"
	// leftoverAge is the age at which removeLeftovers removes the file of a killed writer.
	leftoverAge = time.Hour
)

// makePrivateFolder creates a folder that only its owner can use. It takes the access of other
// users away from an existing folder.
func makePrivateFolder(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("token store: %w", err)
	}
	info, err := os.Lstat(folder)
	if err != nil {
		return fmt.Errorf("token store: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("token store: want a folder at %s, got a link or a file; name another folder", folder)
	}
	if hasModes && info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(folder, 0o700); err != nil {
			return fmt.Errorf(
				"token store: want the folder %s with mode 0700, got %04o, and it cannot be changed: %w",
				folder,
				info.Mode().Perm(),
				err,
			)
		}
	}
	return nil
}

// replaceFile writes a file that only its owner can read. The new file replaces the old one when
// all of it is on the disk.
func replaceFile(path string, text []byte) error {
	folder := filepath.Dir(path)
	file, err := os.CreateTemp(folder, newPattern) // mode 0600
	if err != nil {
		return fmt.Errorf("token store: %w", err)
	}
	defer os.Remove(file.Name()) // fails after the rename
	_, err = file.Write(text)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("token store: %w", err)
	}
	if opened, err := os.Open(folder); err == nil {
		_ = opened.Sync() // some file systems cannot sync a folder
		_ = opened.Close()
	}
	return nil
}

// lockFile waits until no other process holds the lock at a path.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	lock := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR|noFollow), flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
		return nil, fmt.Errorf("token store: cannot take the lock %s, which another process may hold: %w", path, err)
	}
	return func() { _ = lock.Unlock() }, nil
}

// removeLeftovers removes incomplete files of killed writers.
func removeLeftovers(folder string) {
	leftovers, err := filepath.Glob(filepath.Join(folder, newPattern))
	if err != nil {
		return
	}
	for _, path := range leftovers {
		if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > leftoverAge {
			_ = os.Remove(path)
		}
	}
}
