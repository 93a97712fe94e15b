package broken

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
)

// storedGrant returns the grant of an earlier run, or nil.
func (r *attempt) storedGrant(key string) *grant {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	if found, is := r.memory.grants[key]; is {
		return &found
	}
	return nil
}

// storeGrant stores the grant for later runs, and writes it to a file.
func (r *attempt) storeGrant() error {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	r.memory.grants[r.grantKey()] = *r.grant
	if r.has(KeysTokensByIssuer) {
		r.memory.grants[r.grant.issuer.Issuer] = *r.grant
	}
	return r.write()
}

// deleteGrant deletes the grant at sign-out.
func (r *attempt) deleteGrant() error {
	if r.has(KeepsTokensAtSignOut) {
		return nil
	}
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	delete(r.memory.grants, r.grantKey())
	return os.Remove(r.file())
}

func (r *attempt) file() string {
	sum := sha256.Sum256([]byte(r.grantKey()))
	return filepath.Join(r.task.State, hex.EncodeToString(sum[:8])+".json")
}

func (r *attempt) write() error {
	text, err := json.Marshal(map[string]string{"access_token": r.grant.access, "refresh_token": r.grant.refresh})
	if err != nil {
		return err
	}
	if r.has(WritesThroughLinks) {
		return os.WriteFile(r.file(), text, 0o600)
	}
	written, err := os.CreateTemp(r.task.State, "new-") // 0600
	if err != nil {
		return err
	}
	_, err = written.Write(text)
	return errors.Join(err, written.Close(), os.Rename(written.Name(), r.file()))
}
