package broker

import (
	"bufio"
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"mcpentra/server/store"
)

// Keys encrypt what a broker stores. The first encrypts; all of them decrypt, so that a key is
// changed by putting a new one in front.
type Keys struct {
	keys []storageKey
}

type storageKey struct {
	id   [4]byte
	aead cipher.AEAD
	mac  []byte // for what has to be recognised rather than hidden
	root []byte // of keys for other purposes
}

// NewKeys makes one new key.
func NewKeys(random io.Reader) (*Keys, error) {
	text, err := NewKeysText(random)
	if err != nil {
		return nil, err
	}
	return ReadKeys(text)
}

// NewKeysText makes the text of a keys file with one new key.
func NewKeysText(random io.Reader) (string, error) {
	secret := make([]byte, 32)
	if _, err := io.ReadFull(random, secret); err != nil {
		return "", fmt.Errorf("broker: no randomness: %w", err)
	}
	return "# Encrypts what mcp-entra-server stores. The first key encrypts, all of them decrypt: put a new one in front to change it.\n" +
		base64.StdEncoding.EncodeToString(
			secret,
		) + "\n", nil
}

// maxKeys bounds a keys file.
const maxKeys = 16

// ReadKeys reads the text of a keys file: a key a line, 32 bytes in base64; empty lines and lines
// that begin with # are passed over.
func ReadKeys(text string) (*Keys, error) {
	keys := &Keys{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		secret, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(secret) != 32 {
			return nil, fmt.Errorf("broker: keys, line %d: want 32 bytes in base64", number)
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
	key := storageKey{mac: derive(secret, "recognition"), root: derive(secret, "derivation")}
	if key.aead, err = cipher.NewGCM(block); err != nil {
		return storageKey{}, err
	}
	copy(key.id[:], derive(secret, "identification"))
	return key, nil
}

// derive makes a key for one purpose out of another, which is uniformly random already.
func derive(secret []byte, purpose string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("mcpentra " + purpose))
	return mac.Sum(nil)
}

// Derive makes keys of 32 bytes for another purpose, one of each key, the first of the first. They
// say nothing about the keys that they come from, nor about those of other purposes.
func (k *Keys) Derive(purpose string) [][]byte {
	var all [][]byte
	for _, key := range k.keys {
		all = append(all, derive(key.root, purpose))
	}
	return all
}

// seal encrypts a value for one place. It cannot be opened anywhere else.
func (k *Keys) seal(random io.Reader, value []byte, place string) ([]byte, error) {
	key := k.keys[0]
	nonce := make([]byte, key.aead.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("broker: no randomness: %w", err)
	}
	sealed := append(append([]byte(nil), key.id[:]...), nonce...)
	return key.aead.Seal(sealed, nonce, value, []byte(place)), nil
}

// open decrypts what seal made.
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

var (
	errSealBroken = errors.New("broker: a stored record is damaged, or was moved from another place")
	errUnknownKey = errors.New("broker: a stored record was encrypted with a key that is not in the keys file: " +
		"restore the key there (MCP_KEYS_FILE), or use another store (STORE_URL)")
)

// A sealedStore is a store whose values are JSON, encrypted for their place.
type sealedStore struct {
	store  store.Store
	keys   *Keys
	random io.Reader
}

func (s *sealedStore) get(ctx context.Context, kind, key string, into any) (store.Record, error) {
	record, err := s.store.Get(ctx, kind, key)
	if err != nil {
		return record, err
	}
	return record, s.read(record, into)
}

func (s *sealedStore) read(record store.Record, into any) error {
	text, err := s.keys.open(record.Value, record.Kind+"\x00"+record.Key)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// getLasting is get for what is never written again: a record that an older key encrypted is
// encrypted anew, so that the older key can go.
func (s *sealedStore) getLasting(ctx context.Context, kind, key string, into any) error {
	record, err := s.get(ctx, kind, key, into)
	if err != nil || bytes.HasPrefix(record.Value, s.keys.keys[0].id[:]) {
		return err
	}
	if err := s.put(ctx, record, into); !errors.Is(err, store.ErrConflict) {
		return err
	}
	return nil // another process did
}

// create stores a new record of a source: a network or a person. What the server itself needs has
// none.
func (s *sealedStore) create(ctx context.Context, kind, key, source string, value any, expires time.Time) error {
	return s.put(ctx, store.Record{Kind: kind, Key: key, Source: source, Expires: expires}, value)
}

// put stores a value under the record's kind and key, if its version is still the stored one.
func (s *sealedStore) put(ctx context.Context, record store.Record, value any) error {
	_, err := s.putAgain(ctx, record, value)
	return err
}

// putAgain is put for a record that is going to be put once more, under the version that it
// returns.
func (s *sealedStore) putAgain(ctx context.Context, record store.Record, value any) (version int64, err error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // which would let a stranger's & or < take six bytes
	if err := encoder.Encode(value); err != nil {
		return 0, fmt.Errorf("broker: %w", err)
	}
	if record.Value, err = s.keys.seal(s.random, text.Bytes(), record.Kind+"\x00"+record.Key); err != nil {
		return 0, err
	}
	record.Limit = limit(record.Kind)
	return s.store.Put(ctx, record)
}
