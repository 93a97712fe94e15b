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
	"mcpentra/server/store/redis"
)

// A location is the place of a store and of the keys that encrypt it.
type location struct {
	url      string
	kind     string // of the URL, such as file
	path     string // of a file
	keysFile string // empty for memory without keys
}

// locateStore reads STORE_URL and MCP_KEYS_FILE.
func (s *settings) locateStore() (location, error) {
	at := location{url: s.store, keysFile: s.keysFile}
	if at.url == "" {
		folder, err := stateFolder()
		if err != nil {
			return at, errors.New("STORE_URL is missing, and there is no home directory for a file: write " +
				"memory: or file:PATH")
		}
		// Each registration has a file of its own, so that a fake's sign-ins never count for a
		// tenant.
		registration := s.registration()
		sum := sha256.Sum256([]byte(registration.Deployment()))
		at.url = "file:" + filepath.Join(folder, "grants-"+hex.EncodeToString(sum[:4])+".db")
	}
	at.kind, at.path, _ = strings.Cut(at.url, ":")
	if at.kind != "file" {
		return at, nil
	}
	at.path = strings.TrimPrefix(at.path, "//")
	if at.path == "" {
		return at, fmt.Errorf("STORE_URL is %q: write file:PATH", at.url)
	}
	if at.keysFile == "" {
		at.keysFile = strings.TrimSuffix(at.path, ".db") + ".keys"
	}
	return at, nil
}

// openStore opens the store that STORE_URL names, and reads the keys that encrypt it.
func openStore(ctx context.Context, s *settings, logger *slog.Logger) (store.Store, *broker.Keys, error) {
	at, err := s.locateStore()
	if err != nil {
		return nil, nil, err
	}
	switch at.kind {
	case "memory":
		if at.keysFile == "" {
			return store.NewMemory(s.storeConfig()), nil, nil
		}
		keys, err := readKeys(at.keysFile)
		return store.NewMemory(s.storeConfig()), keys, err
	case "file":
		return openFile(ctx, s, at, logger)
	case "postgres", "postgresql":
		return openPostgres(ctx, s, at, logger)
	}
	if redis.IsScheme(at.kind) {
		return openRedis(ctx, s, at, logger)
	}
	// The rest may contain a password.
	return nil, nil, fmt.Errorf("STORE_URL is %q: write memory:, file:PATH, postgres://HOST/DATABASE or rediss://HOST",
		at.kind)
}

// openFile opens a store in a file. It makes a new store and its keys.
func openFile(
	ctx context.Context,
	s *settings,
	at location,
	logger *slog.Logger,
) (store.Store, *broker.Keys, error) {
	if err := os.MkdirAll(filepath.Dir(at.path), 0o700); err != nil {
		return nil, nil, fmt.Errorf("STORE_URL is %q, but its folder cannot be made: %w", at.url, err)
	}
	info, err := os.Stat(at.path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, nil, s.wrong("STORE_URL", "is %q, but %s is not a file: write file:PATH", at.url, at.path)
	}
	fresh := errors.Is(err, fs.ErrNotExist)
	if err := makeKeys(at.keysFile, at.path, fresh); err != nil {
		if s.keysFile != "" {
			return nil, nil, s.wrong("MCP_KEYS_FILE", "cannot be used: %v", err)
		}
		return nil, nil, s.wrong("STORE_URL", "names a store without keys (MCP_KEYS_FILE): %v", err)
	}
	keys, err := readKeys(at.keysFile)
	if err != nil {
		return nil, nil, err
	}
	opened, err := store.OpenFile(ctx, at.path, s.storeConfig())
	if errors.Is(err, store.ErrInUse) {
		return nil, nil, fmt.Errorf("STORE_URL: %w, and a file serves one process: stop the other process, "+
			"or use another store with --store file:PATH, or --store memory: to keep nothing", err)
	} else if err != nil {
		return nil, nil, fmt.Errorf("STORE_URL: %w", err)
	}
	logger.Info("grants are kept in a file", "file", at.path, "keys", at.keysFile)
	return opened, keys, nil
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
