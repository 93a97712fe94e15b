package tokenstore

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"
)

// A File keeps each record in an encrypted file of a folder. Without the encryption key, neither
// the names nor the contents of the files show the server, the account or the tokens. Several
// processes can use a folder at once. A killed process leaves the previous record as it was.
type File struct {
	folder      string
	keyLocation string
	aead        cipher.AEAD
	nameKey     []byte
}

const (
	recordSuffix = ".record"
	maxRecord    = 1 << 20
	// format is the first line of each file. The encryption authenticates it.
	format = "mcp-entra-client record 1\n"
)

// OpenFile opens a folder for its owner alone, and creates it if necessary. The encryption key is
// in the keychain. If keychain is nil or does not answer in time, the key is in a file of the
// folder; EncryptionKeyLocation says which.
func OpenFile(folder string, keychain *Keychain) (*File, error) {
	if err := makePrivateFolder(folder); err != nil {
		return nil, err
	}
	key, location, err := findEncryptionKey(folder, keychain)
	if err != nil {
		return nil, err
	}
	contentKey, err := hkdf.Key(sha256.New, key, nil, "mcp-entra-client record encryption", 32)
	if err != nil {
		return nil, fmt.Errorf("token store: %w", err)
	}
	nameKey, err := hkdf.Key(sha256.New, key, nil, "mcp-entra-client record name", 32)
	if err != nil {
		return nil, fmt.Errorf("token store: %w", err)
	}
	block, err := aes.NewCipher(contentKey)
	if err != nil {
		return nil, fmt.Errorf("token store: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("token store: %w", err)
	}
	removeLeftovers(folder)
	return &File{folder: folder, keyLocation: location, aead: aead, nameKey: nameKey}, nil
}

// EncryptionKeyLocation says in plain words where the encryption key is.
func (f *File) EncryptionKeyLocation() string { return f.keyLocation }

// fileName returns the name of a key's files, without suffix. It depends on the encryption key, so
// that a process with another encryption key does not overwrite a record that it cannot read.
func (f *File) fileName(key Key) string {
	sum := hmac.New(sha256.New, f.nameKey)
	fmt.Fprintf(sum, "%q %q", key.Resource, key.Account)
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// A fileContent is the content of a file before encryption.
type fileContent struct {
	Key    Key    `json:"place"`
	Record Record `json:"record"`
}

// Load returns the record of a key.
func (f *File) Load(_ context.Context, key Key) (Record, error) {
	name := f.fileName(key) + recordSuffix
	content, err := f.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, nil
	}
	if err == nil && content.Key != key {
		err = fmt.Errorf(
			"token store: want the record of %s in %s, got the record of %s; delete the file to sign in again",
			key.Resource,
			filepath.Join(f.folder, name),
			content.Key.Resource,
		)
	}
	return content.Record, err
}

func (f *File) read(name string) (fileContent, error) {
	path := filepath.Join(f.folder, name)
	file, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return fileContent{}, fmt.Errorf("token store: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxRecord+1))
	if err != nil {
		return fileContent{}, fmt.Errorf("token store: %w", err)
	}
	sealed, ok := strings.CutPrefix(string(text), format)
	if !ok || len(text) > maxRecord {
		return fileContent{}, fmt.Errorf(
			"token store: want a record in %s, got another kind of file; delete it to sign in again",
			path,
		)
	}
	plain, err := f.aead.Open(nil, nil, []byte(sealed), []byte(format+name))
	var content fileContent
	if err != nil || json.Unmarshal(plain, &content) != nil {
		return fileContent{}, fmt.Errorf(
			"token store: the key in %s does not decrypt %s; delete the record to sign in again",
			f.keyLocation,
			path,
		)
	}
	return content, nil
}

// Save replaces the record of a key. Readers see all of the old record or all of the new one.
func (f *File) Save(_ context.Context, key Key, record Record) error {
	plain, err := json.Marshal(fileContent{key, record}, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("token store: %w", err)
	}
	name := f.fileName(key) + recordSuffix
	sealed := f.aead.Seal([]byte(format), nil, plain, []byte(format+name))
	if len(sealed) > maxRecord {
		return fmt.Errorf("token store: want a record of at most %d bytes, got %d", maxRecord, len(sealed))
	}
	return replaceFile(filepath.Join(f.folder, name), sealed)
}

// Keys lists the keys that have a record. It leaves out records with another encryption key.
func (f *File) Keys(context.Context) ([]Key, error) {
	files, err := os.ReadDir(f.folder)
	if err != nil {
		return nil, fmt.Errorf("token store: %w", err)
	}
	var keys []Key
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), recordSuffix) {
			continue
		}
		content, err := f.read(file.Name())
		if err == nil && f.fileName(content.Key)+recordSuffix == file.Name() {
			keys = append(keys, content.Key)
		}
	}
	return keys, nil
}

// Lock waits until no other caller holds the lock of a key, in any process.
func (f *File) Lock(ctx context.Context, key Key) (unlock func(), err error) {
	return lockFile(ctx, filepath.Join(f.folder, f.fileName(key)+lockSuffix))
}
