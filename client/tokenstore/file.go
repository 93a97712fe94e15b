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
	"time"

	"github.com/go-json-experiment/json"
	"github.com/gofrs/flock"
)

// A File keeps records in a folder, each in a file of its own, encrypted. Names and contents tell
// nothing to who has not got the key. Several processes can use a folder at once; one that is
// killed leaves the record that was there before.
type File struct {
	folder  string
	where   string
	aead    cipher.AEAD
	nameKey []byte
}

const (
	recordSuffix = ".record"
	lockSuffix   = ".lock"
	newPattern   = "new-*.tmp"
	maxRecord    = 1 << 20
	// format is what files begin with, and are authenticated with.
	format = "mcp-entra-client record 1\n"
	// lockPoll is how often a lock that somebody else holds is tried.
	lockPoll = 5 * time.Millisecond
	// leftover is the age at which the file of a killed writer is cleared away.
	leftover = time.Hour
)

// OpenFile opens a folder, and makes it if need be, for its owner alone. The key to what is in it
// lies in the keychain, or where there is none that answers in a file beside the records, as
// KeyLocation tells.
func OpenFile(folder string, keychain *Keychain) (*File, error) {
	if err := ownFolder(folder); err != nil {
		return nil, err
	}
	key, where, err := findKey(folder, keychain)
	if err != nil {
		return nil, err
	}
	f := &File{folder: folder, where: where}
	encryption, err := hkdf.Key(sha256.New, key, nil, "mcp-entra-client record encryption", 32)
	if err != nil {
		return nil, fmt.Errorf("token store: %w", err)
	}
	if f.nameKey, err = hkdf.Key(sha256.New, key, nil, "mcp-entra-client record name", 32); err != nil {
		return nil, fmt.Errorf("token store: %w", err)
	}
	block, err := aes.NewCipher(encryption)
	if err != nil {
		return nil, fmt.Errorf("token store: %w", err)
	}
	if f.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return nil, fmt.Errorf("token store: %w", err)
	}
	f.clearAway()
	return f, nil
}

// KeyLocation says in plain words where the key lies.
func (f *File) KeyLocation() string { return f.where }

// ownFolder makes a folder that is its owner's alone, or sees to it that one is.
func ownFolder(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("token store: %w", err)
	}
	info, err := os.Lstat(folder)
	switch {
	case err != nil:
		return fmt.Errorf("token store: %w", err)
	case !info.IsDir():
		return fmt.Errorf("token store: %s is not a folder of its own", folder)
	case info.Mode().Perm()&0o077 != 0 && noFollow != 0: // where files have such modes
		if err := os.Chmod(folder, 0o700); err != nil {
			return fmt.Errorf("token store: others can look into %s, and that cannot be changed: %w", folder, err)
		}
	}
	return nil
}

// name is that of a place's files. With another key it is another one, so that what cannot be read
// is not overwritten.
func (f *File) name(place Place) string {
	sum := hmac.New(sha256.New, f.nameKey)
	fmt.Fprintf(sum, "%q %q", place.Resource, place.Account)
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// kept is what stands in a file.
type kept struct {
	Place  Place  `json:"place"`
	Record Record `json:"record"`
}

// Load returns the record of a place.
func (f *File) Load(_ context.Context, place Place) (Record, error) {
	one, err := f.read(f.name(place) + recordSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, nil
	}
	if err == nil && one.Place != place {
		err = fmt.Errorf("token store: a record of %s where that of %s belongs", one.Place.Resource, place.Resource)
	}
	return one.Record, err
}

func (f *File) read(name string) (kept, error) {
	file, err := os.OpenFile(filepath.Join(f.folder, name), os.O_RDONLY|noFollow, 0)
	if err != nil {
		return kept{}, fmt.Errorf("token store: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxRecord+1))
	if err != nil {
		return kept{}, fmt.Errorf("token store: %w", err)
	}
	sealed, ok := strings.CutPrefix(string(text), format)
	if !ok || len(text) > maxRecord {
		return kept{}, fmt.Errorf("token store: %s is not a record", filepath.Join(f.folder, name))
	}
	plain, err := f.aead.Open(nil, nil, []byte(sealed), []byte(format+name))
	var one kept
	if err != nil || json.Unmarshal(plain, &one) != nil {
		return kept{}, fmt.Errorf(
			"token store: %s cannot be read with the key in %s; delete it to sign in anew",
			filepath.Join(f.folder, name),
			f.where,
		)
	}
	return one, nil
}

// Save replaces the record of a place. Readers see the old one or the new one, whole.
func (f *File) Save(_ context.Context, place Place, record Record) error {
	plain, err := json.Marshal(kept{place, record}, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("token store: %w", err)
	}
	name := f.name(place) + recordSuffix
	sealed := f.aead.Seal([]byte(format), nil, plain, []byte(format+name))
	if len(sealed) > maxRecord {
		return fmt.Errorf("token store: a record of %d bytes, and at most %d are kept", len(sealed), maxRecord)
	}
	return writeWhole(
		f.folder,
		sealed,
		func(written string) error { return os.Rename(written, filepath.Join(f.folder, name)) },
	)
}

// writeWhole writes a file that only its owner can read, and puts it in its place when all of it is
// on the disk.
func writeWhole(folder string, text []byte, place func(written string) error) error {
	file, err := os.CreateTemp(folder, newPattern) // 0600
	if err != nil {
		return fmt.Errorf("token store: %w", err)
	}
	defer os.Remove(file.Name()) // fails when it has been renamed
	_, err = file.Write(text)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = place(file.Name())
	}
	if err != nil {
		return fmt.Errorf("token store: %w", err)
	}
	if opened, err := os.Open(folder); err == nil {
		_ = opened.Sync() // not every file system has it
		_ = opened.Close()
	}
	return nil
}

// Places lists the places that have a record. Those that another key is for are left out.
func (f *File) Places(context.Context) ([]Place, error) {
	names, err := os.ReadDir(f.folder)
	if err != nil {
		return nil, fmt.Errorf("token store: %w", err)
	}
	var places []Place
	for _, name := range names {
		if !strings.HasSuffix(name.Name(), recordSuffix) {
			continue
		}
		if one, err := f.read(name.Name()); err == nil && f.name(one.Place)+recordSuffix == name.Name() {
			places = append(places, one.Place)
		}
	}
	return places, nil
}

// Lock waits until nobody else holds a place, in any process.
func (f *File) Lock(ctx context.Context, place Place) (unlock func(), err error) {
	return lockFile(ctx, filepath.Join(f.folder, f.name(place)+lockSuffix))
}

func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	lock := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR|noFollow), flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
		return nil, fmt.Errorf("token store: waiting for another program that signs in there: %w", err)
	}
	return func() { _ = lock.Unlock() }, nil
}

// clearAway removes what writers that were killed have left.
func (f *File) clearAway() {
	left, err := filepath.Glob(filepath.Join(f.folder, newPattern))
	if err != nil {
		return
	}
	for _, path := range left {
		if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > leftover {
			_ = os.Remove(path)
		}
	}
}
