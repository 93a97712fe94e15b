package broker

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
)

// Keys encrypt the records of a broker. The first key encrypts, and all of them decrypt. Keys may
// change while the broker runs (Replace). They are safe for concurrent use.
type Keys struct {
	ring atomic.Pointer[keyring]
}

// A keyring is one reading of a keys file.
type keyring struct {
	text    string
	keys    []storageKey // in the order of the file
	retired []retiredKey
	epochs  map[string]int64 // by store
	// replaced is closed once another reading has replaced this one.
	replaced chan struct{}
}

type storageKey struct {
	sealingKey
	mac     []byte    // authenticates refresh tokens
	root    []byte    // of the keys for other purposes
	sources []byte    // names sources and groups
	from    time.Time // when the key begins to encrypt; zero means at once
}

// A sealingKey encrypts.
type sealingKey struct {
	id   [keyIDLength]byte
	aead cipher.AEAD
}

// A retiredKey holds what outlives a key that was removed. It decrypts nothing. It recognizes
// refresh tokens that the key marked, and finds records by names that the key made.
type retiredKey struct {
	mac     []byte
	sources []byte
}

const (
	keyLength   = 32 // bytes
	keyIDLength = 4  // bytes
)

// NewKeys returns Keys with one new key.
func NewKeys(random io.Reader) (*Keys, error) {
	text, err := NewKeysText(random)
	if err != nil {
		return nil, err
	}
	return ReadKeys(text)
}

// ReadKeys reads the text of a keys file. Each line is a key of 32 bytes in base64. Empty lines and
// comments, which begin with #, do not count, except the comments that RotateKeysText,
// PruneKeysText and RaiseEpochText write.
func ReadKeys(text string) (*Keys, error) {
	ring, err := readKeyring(text)
	if err != nil {
		return nil, err
	}
	keys := &Keys{}
	keys.ring.Store(ring)
	return keys, nil
}

// Replace reads the text of a keys file that has changed. It reports whether more than epochs have
// changed. It refuses a text that has no key in common with the present one, because that is
// another deployment's file.
func (k *Keys) Replace(text string) (changed bool, err error) {
	before := k.ring.Load()
	if text == before.text {
		return false, nil
	}
	ring, err := readKeyring(text)
	if err != nil {
		return false, err
	}
	for _, key := range before.keys {
		if ring.has(key.id) {
			return withoutEpochs(text) != withoutEpochs(before.text), k.swap(before, ring)
		}
	}
	return false, errors.New("broker: keys: want at least one key of the present file, got other keys only: " +
		"restore the file, or restart with another store")
}

func (k *Keys) swap(before, after *keyring) error {
	if !k.ring.CompareAndSwap(before, after) {
		return errors.New("broker: keys: replaced by another caller meanwhile")
	}
	close(before.replaced)
	return nil
}

func newStorageKey(secret []byte) (storageKey, error) {
	sealing, err := newSealingKey(secret)
	if err != nil {
		return storageKey{}, err
	}
	root := derive(secret, "derivation")
	return storageKey{
		sealingKey: sealing,
		mac:        derive(secret, "recognition"),
		root:       root,
		sources:    derive(root, "sources"),
	}, nil
}

func newSealingKey(secret []byte) (sealingKey, error) {
	block, err := aes.NewCipher(derive(secret, "encryption"))
	if err != nil {
		return sealingKey{}, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return sealingKey{}, err
	}
	key := sealingKey{aead: aead}
	copy(key.id[:], derive(secret, "identification"))
	return key, nil
}

// derive returns a key for one purpose. The secret must be uniformly random.
func derive(secret []byte, purpose string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("mcpentra " + purpose))
	return mac.Sum(nil)
}

// Derive returns one key of 32 bytes for another purpose from each key. The first one belongs to
// the key that encrypts at the given time. The derived keys reveal nothing about the keys, or about
// keys for other purposes.
func (k *Keys) Derive(purpose string, now time.Time) [][]byte {
	var derived [][]byte
	for _, key := range k.ring.Load().ordered(now) {
		derived = append(derived, derive(key.root, purpose))
	}
	return derived
}

// firstAt returns the index of the key that encrypts: the first one whose time has come.
func (r *keyring) firstAt(now time.Time) int {
	for i, key := range r.keys {
		if !now.Before(key.from) {
			return i
		}
	}
	return len(r.keys) - 1
}

// first returns the key that encrypts.
func (r *keyring) first(now time.Time) storageKey { return r.keys[r.firstAt(now)] }

// ordered returns all keys, and the key that encrypts in front.
func (r *keyring) ordered(now time.Time) []storageKey {
	first := r.firstAt(now)
	ordered := []storageKey{r.keys[first]}
	ordered = append(ordered, r.keys[:first]...)
	return append(ordered, r.keys[first+1:]...)
}

func (r *keyring) has(id [keyIDLength]byte) bool {
	for _, key := range r.keys {
		if key.id == id {
			return true
		}
	}
	return false
}

// seal encrypts a value for one place. It cannot be opened in another place.
func (k *Keys) seal(random io.Reader, now time.Time, value []byte, place string) ([]byte, error) {
	return k.ring.Load().first(now).seal(random, value, place)
}

// open decrypts a sealed value.
func (k *Keys) open(sealed []byte, place string) ([]byte, error) {
	for _, key := range k.ring.Load().keys {
		if key.hasSealed(sealed) {
			return key.open(sealed, place)
		}
	}
	return nil, errUnknownKey
}

// sealedByFirst reports whether the key that encrypts now has encrypted a value.
func (k *Keys) sealedByFirst(sealed []byte, now time.Time) bool {
	return k.ring.Load().first(now).hasSealed(sealed)
}

func (key sealingKey) hasSealed(sealed []byte) bool { return bytes.HasPrefix(sealed, key.id[:]) }

func (key sealingKey) name() string { return hex.EncodeToString(key.id[:]) }

func (key sealingKey) seal(random io.Reader, value []byte, place string) ([]byte, error) {
	nonce := make([]byte, key.aead.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("broker: no randomness: %w", err)
	}
	size := len(key.id) + len(nonce) + len(value) + key.aead.Overhead()
	sealed := append(append(make([]byte, 0, size), key.id[:]...), nonce...)
	return key.aead.Seal(sealed, nonce, value, []byte(place)), nil
}

func (key sealingKey) open(sealed []byte, place string) ([]byte, error) {
	size := len(key.id) + key.aead.NonceSize()
	if len(sealed) < size || !key.hasSealed(sealed) {
		return nil, errSealBroken
	}
	value, err := key.aead.Open(nil, sealed[len(key.id):size], sealed[size:], []byte(place))
	if err != nil {
		return nil, errSealBroken
	}
	return value, nil
}

// mark returns the mark of a refresh token that only this server can make.
func (k *Keys) mark(now time.Time, text string) string {
	return mark(k.ring.Load().first(now).mac, text)
}

// Names returns the names of the keys in the order of the file. Reports and logs use them. They
// reveal nothing about the keys.
func (k *Keys) Names() []string {
	var names []string
	for _, key := range k.ring.Load().keys {
		names = append(names, key.name())
	}
	return names
}

// olderNames returns the names of the keys after the one that encrypts.
func (k *Keys) olderNames(now time.Time) []string {
	ring := k.ring.Load()
	var names []string
	for _, key := range ring.keys[ring.firstAt(now)+1:] {
		names = append(names, key.name())
	}
	return names
}

// hasMarked reports whether a key of the file made a mark, or one that was removed from it.
func (k *Keys) hasMarked(text, presented string) bool {
	ring := k.ring.Load()
	for _, key := range ring.keys {
		if hmac.Equal([]byte(mark(key.mac, text)), []byte(presented)) {
			return true
		}
	}
	for _, key := range ring.retired {
		if hmac.Equal([]byte(mark(key.mac, text)), []byte(presented)) {
			return true
		}
	}
	return false
}

func mark(key []byte, text string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// names returns the store's names for a source or group. The first name is the present one. Records
// of earlier keys have the others until they are written again.
func (k *Keys) names(now time.Time, parts ...string) []string {
	ring := k.ring.Load()
	var names []string
	for _, key := range ring.ordered(now) {
		names = append(names, sourceName(key.sources, parts))
	}
	for _, key := range ring.retired {
		names = append(names, sourceName(key.sources, parts))
	}
	return names
}

// name returns the first of names.
func (k *Keys) name(now time.Time, parts ...string) string {
	return sourceName(k.ring.Load().first(now).sources, parts)
}

func sourceName(key []byte, parts []string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])
}

var (
	errSealBroken = errors.New("broker: a stored record is damaged, or was moved from another place")
	errUnknownKey = errors.New("broker: a stored record was encrypted with a key that is not in the keys file: " +
		"restore the key there (MCP_KEYS_FILE), or use another store (STORE_URL)")
)
