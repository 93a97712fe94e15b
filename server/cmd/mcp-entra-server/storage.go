package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"mcpentra/server/broker"
	"mcpentra/server/store"
)

// openStore opens what STORE_URL names, and the keys that it is encrypted with.
func openStore(ctx context.Context, s *settings, logger *slog.Logger) (store.Store, *broker.Keys, error) {
	where := s.store
	if where == "" {
		folder, err := stateFolder()
		if err != nil {
			return nil, nil, fmt.Errorf(
				"STORE_URL is missing, and there is no home directory to keep a file in: write memory: or file:PATH",
			)
		}
		// One file for each registration, so that what a fake has vouched for never counts in front
		// of a tenant.
		registration := s.registration()
		sum := sha256.Sum256([]byte(registration.Deployment()))
		where = "file:" + filepath.Join(folder, "grants-"+hex.EncodeToString(sum[:4])+".db")
	}
	kind, path, _ := strings.Cut(where, ":")
	switch kind {
	case "memory":
		if s.keysFile == "" {
			return store.NewMemory(store.Config{}), nil, nil
		}
		keys, err := readKeys(s.keysFile)
		return store.NewMemory(store.Config{}), keys, err
	case "file":
		path = strings.TrimPrefix(path, "//")
		if path == "" {
			return nil, nil, fmt.Errorf("STORE_URL is %q: write file:PATH", where)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, nil, fmt.Errorf("STORE_URL is %q, and its folder cannot be made: %w", where, err)
		}
		info, err := os.Stat(path)
		if err == nil && !info.Mode().IsRegular() {
			return nil, nil, s.wrong("STORE_URL", "is %q, and %s is not a file: write file:PATH", where, path)
		}
		fresh := errors.Is(err, fs.ErrNotExist)
		keysFile := s.keysFile
		if keysFile == "" {
			keysFile = strings.TrimSuffix(path, ".db") + ".keys"
		}
		if err := makeKeys(keysFile, path, fresh); err != nil {
			if s.keysFile != "" {
				return nil, nil, s.wrong("MCP_KEYS_FILE", "cannot be used: %v", err)
			}
			return nil, nil, s.wrong("STORE_URL", "names a store without keys (MCP_KEYS_FILE): %v", err)
		}
		keys, err := readKeys(keysFile)
		if err != nil {
			return nil, nil, err
		}
		opened, err := store.OpenFile(ctx, path, store.Config{})
		if errors.Is(err, store.ErrInUse) {
			return nil, nil, fmt.Errorf("STORE_URL: %w, and a file serves one process: stop that one, or give "+
				"this server a store of its own "+
				"with --store file:PATH, or --store memory: to keep nothing", err)
		} else if err != nil {
			return nil, nil, fmt.Errorf("STORE_URL: %w", err)
		}
		logger.Info("grants are kept in a file", "file", path, "keys", keysFile)
		return opened, keys, nil
	}
	// The rest may hold a password.
	return nil, nil, fmt.Errorf("STORE_URL is %q: write memory: or file:PATH", kind)
}

// stateFolder is where the user's programs keep what they must remember (XDG Base Directory).
func stateFolder() (string, error) {
	if folder := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(folder) {
		return filepath.Join(folder, "mcpentra"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".local", "state", "mcpentra"), nil
}

// makeKeys makes a keys file for a new store. One that is missing beside an old store is a mistake:
// what the store holds could not be read any more.
func makeKeys(name, storePath string, fresh bool) error {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return nil // readKeys says what is wrong with it, if anything
	}
	if !fresh {
		return fmt.Errorf("the file %s is missing, and %s is encrypted with its keys: restore it, or remove the "+
			"store and let everybody sign in again", name, storePath)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	text, err := broker.NewKeysText(rand.Reader)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil // another process was faster
	} else if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err == nil {
		err = file.Sync()
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	return nil
}

// readKeys reads a keys file that nobody else can read.
func readKeys(name string) (*broker.Keys, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("MCP_KEYS_FILE: %w", err)
	case !info.Mode().IsRegular() || info.Size() > 64<<10:
		return nil, fmt.Errorf("MCP_KEYS_FILE: %s is not a file of at most 64 KiB", name)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("MCP_KEYS_FILE: %s can be read by others: chmod 600 it", name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("MCP_KEYS_FILE: %w", err)
	}
	keys, err := broker.ReadKeys(string(text))
	if err != nil {
		return nil, fmt.Errorf("MCP_KEYS_FILE: %s: %w", name, err)
	}
	return keys, nil
}
