package tokenstore

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/zalando/go-keyring"
)

// A Keychain keeps one secret for a user. Get says ErrNoSecret when it works and holds none.
type Keychain struct {
	Get func() (string, error)
	Set func(secret string) error
}

// ErrNoSecret is Keychain.Get's answer when there is nothing.
var ErrNoSecret = errors.New("the keychain holds no such secret")

const (
	keychainService = "mcp-entra-client"
	keychainUser    = "token store"
	// keychainTimeout is how long a keychain may take. Some ask a person, and some wait for a
	// service that never comes.
	keychainTimeout = 3 * time.Second
	keyFile         = "key"
	keyLength       = 32
)

// SystemKeychain is that of the operating system: Keychain, Credential Manager or Secret Service.
func SystemKeychain() *Keychain {
	return &Keychain{
		Get: func() (string, error) {
			secret, err := keyring.Get(keychainService, keychainUser)
			if errors.Is(err, keyring.ErrNotFound) {
				err = ErrNoSecret
			}
			return secret, err
		},
		Set: func(secret string) error { return keyring.Set(keychainService, keychainUser, secret) },
	}
}

// findKey finds the key or makes one: in the keychain if it answers, else in a file.
func findKey(folder string, keychain *Keychain) (key []byte, where string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*keychainTimeout)
	defer cancel()
	unlock, err := lockFile(ctx, filepath.Join(folder, keyFile+lockSuffix)) // two that begin at once make one key
	if err != nil {
		return nil, "", err
	}
	defer unlock()
	if keychain != nil {
		if key, err := keychainKey(keychain); err == nil {
			return key, "the system's keychain", nil
		}
	}
	path := filepath.Join(folder, keyFile)
	key, err = readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, keyLength)
		_, _ = rand.Read(key) // never fails
		err = writeWhole(folder, key, func(written string) error { return os.Rename(written, path) })
	}
	if err != nil {
		return nil, "", err
	}
	return key, "the file " + path, nil
}

// keychainKey asks the keychain, and gives up when it does not answer in time.
func keychainKey(keychain *Keychain) ([]byte, error) {
	type answer struct {
		key []byte
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := keychain.Get()
		if errors.Is(err, ErrNoSecret) {
			fresh := make([]byte, keyLength)
			_, _ = rand.Read(fresh)
			text = base64.StdEncoding.EncodeToString(fresh)
			err = keychain.Set(text)
		}
		if err != nil {
			answers <- answer{err: err}
			return
		}
		key, err := base64.StdEncoding.DecodeString(text)
		if err == nil && len(key) != keyLength {
			err = errors.New("what the keychain holds is not a key")
		}
		answers <- answer{key, err}
	}()
	timer := time.NewTimer(keychainTimeout)
	defer timer.Stop()
	select {
	case got := <-answers:
		return got.key, got.err
	case <-timer.C:
		return nil, errors.New("the keychain does not answer")
	}
}

func readKey(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return nil, fmt.Errorf("token store: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("token store: %w", err)
	}
	if noFollow != 0 && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf(
			"token store: others can read %s (mode %o); if nobody has, make it 0600, else delete it and sign in anew",
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
			"token store: %s is not a key: want %d bytes; delete it to sign in anew",
			path,
			keyLength,
		)
	}
	return key, nil
}
