package broker

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Keys encrypt the records of a broker. The first key encrypts, and all of them decrypt. To change
// the key, put a new one in front.
type Keys struct {
	keys []storageKey
}

type storageKey struct {
	id   [4]byte
	aead cipher.AEAD
	mac  []byte // authenticates refresh tokens
	root []byte // of the keys for other purposes
}

const keyLength = 32 // bytes

// NewKeys returns Keys with one new key.
func NewKeys(random io.Reader) (*Keys, error) {
	text, err := NewKeysText(random)
	if err != nil {
		return nil, err
	}
	return ReadKeys(text)
}

// NewKeysText returns the text of a keys file with one new key.
func NewKeysText(random io.Reader) (string, error) {
	secret := make([]byte, keyLength)
	if _, err := io.ReadFull(random, secret); err != nil {
		return "", fmt.Errorf("broker: no randomness: %w", err)
	}
	const comment = "# Encrypts what mcp-entra-server stores. " +
		"The first key encrypts, all of them decrypt: put a new one in front to change it.\n"
	return comment + base64.StdEncoding.EncodeToString(secret) + "\n", nil
}

// maxKeys bounds a keys file.
const maxKeys = 16

// ReadKeys reads the text of a keys file. Each line is a key of 32 bytes in base64. Empty lines and
// lines that begin with # do not count.
func ReadKeys(text string) (*Keys, error) {
	keys := &Keys{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		secret, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(secret) != keyLength {
			return nil, fmt.Errorf("broker: keys, line %d: want %d bytes in base64", number, keyLength)
		}
		key, err := newStorageKey(secret)
		if err != nil {
			return nil, err
		}
		keys.keys = append(keys.keys, key)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("broker: keys: %w", err)
	}
	if len(keys.keys) == 0 || len(keys.keys) > maxKeys {
		return nil, fmt.Errorf("broker: want 1 to %d keys, got %d", maxKeys, len(keys.keys))
	}
	return keys, nil
}

func newStorageKey(secret []byte) (storageKey, error) {
	block, err := aes.NewCipher(derive(secret, "encryption"))
	if err != nil {
		return storageKey{}, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return storageKey{}, err
	}
	key := storageKey{aead: aead, mac: derive(secret, "recognition"), root: derive(secret, "derivation")}
	copy(key.id[:], derive(secret, "identification"))
	return key, nil
}

// derive returns a key for one purpose. The secret must be uniformly random.
func derive(secret []byte, purpose string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("mcpentra " + purpose))
	return mac.Sum(nil)
}

// Derive returns one key of 32 bytes for another purpose from each key, in the same order. The
// derived keys reveal nothing about the keys, or about keys for other purposes.
func (k *Keys) Derive(purpose string) [][]byte {
	var derived [][]byte
	for _, key := range k.keys {
		derived = append(derived, derive(key.root, purpose))
	}
	return derived
}

// seal encrypts a value for one place. It cannot be opened in another place.
func (k *Keys) seal(random io.Reader, value []byte, place string) ([]byte, error) {
	key := k.keys[0]
	nonce := make([]byte, key.aead.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("broker: no randomness: %w", err)
	}
	sealed := append(append([]byte(nil), key.id[:]...), nonce...)
	return key.aead.Seal(sealed, nonce, value, []byte(place)), nil
}

// open decrypts a sealed value.
func (k *Keys) open(sealed []byte, place string) ([]byte, error) {
	for _, key := range k.keys {
		size := len(key.id) + key.aead.NonceSize()
		if len(sealed) < size || !bytes.Equal(sealed[:len(key.id)], key.id[:]) {
			continue
		}
		value, err := key.aead.Open(nil, sealed[len(key.id):size], sealed[size:], []byte(place))
		if err != nil {
			return nil, errSealBroken
		}
		return value, nil
	}
	return nil, errUnknownKey
}

// isSealedByFirst reports whether the first key encrypted a value.
func (k *Keys) isSealedByFirst(sealed []byte) bool { return bytes.HasPrefix(sealed, k.keys[0].id[:]) }

var (
	errSealBroken = errors.New("broker: a stored record is damaged, or was moved from another place")
	errUnknownKey = errors.New("broker: a stored record was encrypted with a key that is not in the keys file: " +
		"restore the key there (MCP_KEYS_FILE), or use another store (STORE_URL)")
)
