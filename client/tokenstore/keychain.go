package tokenstore

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/zalando/go-keyring"
)

// A Keychain keeps one secret for a user. Get returns ErrNoSecret if the keychain works and holds
// no secret.
type Keychain struct {
	Get func() (string, error)
	Set func(secret string) error
}

// ErrNoSecret says that the keychain holds no secret of this program.
var ErrNoSecret = errors.New("the keychain holds no secret of this program")

const (
	keychainService = "mcp-entra-client"
	keychainUser    = "token store"
	// keychainTimeout bounds the time for an answer. Some keychains ask a person, and some wait for
	// a service that never starts.
	keychainTimeout = 3 * time.Second
)

// SystemKeychain returns the operating system's keychain: Keychain, Credential Manager or Secret
// Service.
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

// encryptionKey returns the encryption key in the keychain, and puts one there if it has none. It
// gives up after keychainTimeout.
func (k *Keychain) encryptionKey() ([]byte, error) {
	type answer struct {
		key []byte
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		key, err := k.askForKey()
		answers <- answer{key, err}
	}()
	timer := time.NewTimer(keychainTimeout)
	defer timer.Stop()
	select {
	case a := <-answers:
		return a.key, a.err
	case <-timer.C:
		return nil, fmt.Errorf("the keychain did not answer within %v", keychainTimeout)
	}
}

func (k *Keychain) askForKey() ([]byte, error) {
	text, err := k.Get()
	if errors.Is(err, ErrNoSecret) {
		key := make([]byte, keyLength)
		_, _ = rand.Read(key) // never fails
		text = base64.StdEncoding.EncodeToString(key)
		err = k.Set(text)
	}
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err == nil && len(key) != keyLength {
		err = fmt.Errorf("want a key of %d bytes in the keychain, got %d", keyLength, len(key))
	}
	return key, err
}
