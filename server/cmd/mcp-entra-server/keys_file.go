package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"mcpentra/server/broker"
)

// readKeys reads a keys file. Only its owner may be able to read it.
func readKeys(name string) (*broker.Keys, error) {
	text, err := readKeysText(name)
	if err != nil {
		return nil, err
	}
	keys, err := broker.ReadKeys(text)
	if err != nil {
		return nil, fmt.Errorf("MCP_KEYS_FILE: %s: %w", name, err)
	}
	return keys, nil
}

func readKeysText(name string) (string, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return "", fmt.Errorf("MCP_KEYS_FILE: %w", err)
	case !info.Mode().IsRegular() || info.Size() > 64<<10:
		return "", fmt.Errorf("MCP_KEYS_FILE: %s is not a file of at most 64 KiB", name)
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("MCP_KEYS_FILE: other users can read %s: chmod 600 it", name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("MCP_KEYS_FILE: %w", err)
	}
	return string(text), nil
}

// editKeys changes the text of a keys file. Readers see the old text or the new one. The file keeps
// its owner. A lock keeps two programs from editing it at once.
func editKeys(ctx context.Context, name string, edit func(text string) (string, error)) error {
	target, err := filepath.EvalSymlinks(name)
	if err != nil {
		return fmt.Errorf("MCP_KEYS_FILE: %w", err)
	}
	if _, err := readKeysText(target); err != nil {
		return err
	}
	lock := flock.New(target+".lock", flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if locked, err := lock.TryLockContext(ctx, 50*time.Millisecond); !locked {
		return fmt.Errorf("MCP_KEYS_FILE: %s cannot be locked for a change: %w", target, err)
	}
	defer lock.Unlock() // the file of the lock stays, because another program may wait for it
	before, err := readKeysText(target)
	if err != nil {
		return err
	}
	text, err := edit(before)
	if err != nil || text == before {
		return err
	}
	if err := replaceFile(target, text); err != nil {
		return fmt.Errorf("MCP_KEYS_FILE: %s cannot be changed: %w", target, err)
	}
	return nil
}

// replaceFile replaces a file in one step. The new text is on disk before that.
func replaceFile(name, text string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	written, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(written.Name()) // without effect after the rename
	_, err = written.WriteString(text)
	if err == nil {
		err = keepOwner(written.Name(), info)
	}
	if err == nil {
		err = written.Sync()
	}
	if err := errors.Join(err, written.Close()); err != nil {
		return err
	}
	if err := os.Rename(written.Name(), name); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(name))
}

// syncFolder writes the names in a folder to disk. Systems that cannot do so return an error that
// does not matter.
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil && !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// keysInterval is how often a running server looks at its keys file.
const keysInterval = 2 * time.Second

// watchKeys reads the keys file again when it changes, until the context ends. A file that cannot
// be used leaves the keys as they are.
func watchKeys(ctx context.Context, name string, keys *broker.Keys, logger *slog.Logger) {
	var seen fs.FileInfo
	ticker := time.NewTicker(keysInterval)
	defer ticker.Stop()
	for {
		info, err := os.Stat(name)
		isSame := err == nil && seen != nil && os.SameFile(info, seen) &&
			info.ModTime().Equal(seen.ModTime()) && info.Size() == seen.Size()
		switch {
		case isSame, err != nil && seen == nil:
		case err != nil:
			logger.Error("the keys file cannot be read; the keys stay as they are", "file", name, "error", err)
		default:
			reloadKeys(name, keys, logger)
		}
		seen = info
		if err != nil {
			seen = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func reloadKeys(name string, keys *broker.Keys, logger *slog.Logger) {
	text, err := readKeysText(name)
	changed := false
	if err == nil {
		changed, err = keys.Replace(text)
	}
	switch {
	case err != nil:
		logger.Error("the changed keys file cannot be used; the keys stay as they are", "file", name, "error", err)
	case changed:
		logger.Info("the keys file was read again", "file", name, "keys", keys.Names())
	}
}
