package tokenstore_test

import (
	"encoding/base64"
	"errors"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenstore"
)

// A fakeKeychain keeps one secret in memory.
type fakeKeychain struct {
	mu     sync.Mutex
	secret string
}

func (k *fakeKeychain) get() (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.secret == "" {
		return "", tokenstore.ErrNoSecret
	}
	return k.secret, nil
}

func (k *fakeKeychain) set(secret string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.secret = secret
	return nil
}

func TestKeychainHoldsEncryptionKey(t *testing.T) {
	t.Parallel()
	var fake fakeKeychain
	keychain := &tokenstore.Keychain{Get: fake.get, Set: fake.set}
	folder := t.TempDir()
	tokens := openFile(t, folder, keychain)
	assert.Equal(t, "the system's keychain", tokens.EncryptionKeyLocation())
	assert.NoFileExists(t, filepath.Join(folder, "key"))
	require.NoError(t, tokens.Save(t.Context(), mcpKey, recordOf("secret-1")))
	key, err := base64.StdEncoding.DecodeString(fake.secret)
	require.NoError(t, err)
	assert.Len(t, key, 32)
	record, err := openFile(t, folder, keychain).Load(t.Context(), mcpKey)
	require.NoError(t, err)
	assert.Equal(t, recordOf("secret-1"), record)
}

// TestFileWithoutKeychainKeepsOtherRecords opens a folder whose encryption key is in a keychain
// that no longer works. Its records cannot be read, and they are not lost.
func TestFileWithoutKeychainKeepsOtherRecords(t *testing.T) {
	t.Parallel()
	var fake fakeKeychain
	keychain := &tokenstore.Keychain{Get: fake.get, Set: fake.set}
	folder := t.TempDir()
	require.NoError(t, openFile(t, folder, keychain).Save(t.Context(), mcpKey, recordOf("secret-1")))

	locked := errors.New("locked")
	for _, c := range []struct {
		name     string
		keychain *tokenstore.Keychain
	}{
		{"no keychain", nil},
		{"locked", &tokenstore.Keychain{Get: func() (string, error) { return "", locked }}},
		{"read-only and empty", &tokenstore.Keychain{
			Get: func() (string, error) { return "", tokenstore.ErrNoSecret },
			Set: func(string) error { return locked },
		}},
		{"short secret", &tokenstore.Keychain{Get: func() (string, error) { return "c2hvcnQ=", nil }}},
	} {
		tokens := openFile(t, folder, c.keychain)
		assert.Contains(t, tokens.EncryptionKeyLocation(), "the file ", c.name)
		record, err := tokens.Load(t.Context(), mcpKey)
		require.NoError(t, err, c.name)
		assert.Empty(t, record.Entries, c.name)
		require.NoError(t, tokens.Save(t.Context(), mcpKey, recordOf("secret-2")), c.name)
		record, err = openFile(t, folder, keychain).Load(t.Context(), mcpKey)
		require.NoError(t, err, c.name)
		assert.Equal(t, recordOf("secret-1"), record, c.name)
		keys, err := tokens.Keys(t.Context())
		require.NoError(t, err, c.name)
		assert.Equal(t, []tokenstore.Key{mcpKey}, keys, c.name)
		require.NoError(t, tokens.Save(t.Context(), mcpKey, tokenstore.Record{}), c.name)
	}
}

func TestConcurrentOpensShareKey(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			tokens, err := tokenstore.OpenFile(folder, nil)
			if assert.NoError(t, err) {
				key := tokenstore.Key{Resource: strconv.Itoa(i)}
				assert.NoError(t, tokens.Save(t.Context(), key, recordOf("t")))
			}
		})
	}
	group.Wait()
	keys, err := openFile(t, folder, nil).Keys(t.Context())
	require.NoError(t, err)
	assert.Len(t, keys, 8)
}
