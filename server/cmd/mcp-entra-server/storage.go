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

// openStore opens the store that STORE_URL names, and reads the keys that encrypt it.
func openStore(ctx context.Context, s *settings, logger *slog.Logger) (store.Store, *broker.Keys, error) {
	where := s.store
	if where == "" {
		folder, err := stateFolder()
		if err != nil {
			return nil, nil, errors.New("STORE_URL is missing, and there is no home directory for a file: write " +
				"memory: or file:PATH")
		}
		// Each registration has a file of its own, so that a fake's sign-ins never count for a
		// tenant.
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
			return nil, nil, fmt.Errorf("STORE_URL is %q, but its folder cannot be made: %w", where, err)
		}
		info, err := os.Stat(path)
		if err == nil && !info.Mode().IsRegular() {
			return nil, nil, s.wrong("STORE_URL", "is %q, but %s is not a file: write file:PATH", where, path)
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
			return nil, nil, fmt.Errorf("STORE_URL: %w, and a file serves one process: stop the other process, "+
				"or use another store with --store file:PATH, or --store memory: to keep nothing", err)
		} else if err != nil {
			return nil, nil, fmt.Errorf("STORE_URL: %w", err)
		}
		logger.Info("grants are kept in a file", "file", path, "keys", keysFile)
		return opened, keys, nil
	}
	// The rest may contain a password.
	return nil, nil, fmt.Errorf("STORE_URL is %q: write memory: or file:PATH", kind)
}

// stateFolder returns the folder of this program in the user's state directory (XDG Base
// Directory).
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

// makeKeys makes a keys file for a new store. If the file of an old store is missing, it fails,
// because new keys could not decrypt the store.
func makeKeys(name, storePath string, fresh bool) error {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return nil // readKeys checks it
	}
	if !fresh {
		return fmt.Errorf("the file %s is missing, and its keys encrypt %s: restore it, or remove the store; then "+
			"all people have to sign in again", name, storePath)
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
	return errors.Join(err, file.Close())
}

// readKeys reads a keys file. Only its owner may be able to read it.
func readKeys(name string) (*broker.Keys, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("MCP_KEYS_FILE: %w", err)
	case !info.Mode().IsRegular() || info.Size() > 64<<10:
		return nil, fmt.Errorf("MCP_KEYS_FILE: %s is not a file of at most 64 KiB", name)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("MCP_KEYS_FILE: other users can read %s: chmod 600 it", name)
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
