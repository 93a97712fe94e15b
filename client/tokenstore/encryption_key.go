package tokenstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	keyFile   = "key"
	keyLength = 32 // bytes
)

// findEncryptionKey reads the encryption key, or makes the first one. The key is in the
// keychain if the keychain answers, and otherwise in a file.
func findEncryptionKey(folder string, keychain *Keychain) (key []byte, location string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*keychainTimeout)
	defer cancel()
	// With the lock, two processes that start together make one key.
	unlock, err := lockFile(ctx, filepath.Join(folder, keyFile+lockSuffix))
	if err != nil {
		return nil, "", err
	}
	defer unlock()
	if keychain != nil {
		if key, err := keychain.encryptionKey(); err == nil {
			return key, "the system's keychain", nil
		}
	}
	path := filepath.Join(folder, keyFile)
	key, err = readKeyFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, keyLength)
		_, _ = rand.Read(key) // never fails
		err = replaceFile(path, key)
	}
	if err != nil {
		return nil, "", err
	}
	return key, "the file " + path, nil
}

func readKeyFile(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return nil, fmt.Errorf("token store: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("token store: %w", err)
	}
	if hasModes && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf(
			"token store: want the key %s with mode 0600, got %04o: other users can read it; "+
				"if none did, run chmod 0600 on it, otherwise delete it and sign in again",
			path,
			info.Mode().Perm(),
		)
	}
	key, err := io.ReadAll(io.LimitReader(file, keyLength+1))
	if err != nil {
		return nil, fmt.Errorf("token store: %w", err)
	}
	if len(key) != keyLength {
		return nil, fmt.Errorf(
			"token store: want a key of %d bytes in %s, got another length; delete the file to sign in again",
			keyLength,
			path,
		)
	}
	return key, nil
}
