package broken

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
)

// kept is the grant that an earlier run has left, or nil.
func (r *attempt) kept(place string) *grant {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	if found, is := r.memory.grants[place]; is {
		return &found
	}
	return nil
}

// keep remembers the grant for later runs, and writes it to a file as clients do.
func (r *attempt) keep() error {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	r.memory.grants[r.place()] = *r.grant
	if r.has(KeysTokensByIssuer) {
		r.memory.grants[r.grant.issuer.Issuer] = *r.grant
	}
	return r.write()
}

// forget is what is done at sign-out.
func (r *attempt) forget() error {
	if r.has(KeepsTokensAtSignOut) {
		return nil
	}
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	delete(r.memory.grants, r.place())
	return os.Remove(r.file())
}

func (r *attempt) file() string {
	sum := sha256.Sum256([]byte(r.place()))
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
