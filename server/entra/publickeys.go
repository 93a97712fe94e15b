package entra

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"slices"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// publicFakeKeys are the RFC 7638 SHA-256 thumbprints of the fake issuer's keys. Its source code
// contains the private halves, so a token signed with one of them proves nothing, wherever the key
// is published. A test compares the list with the fake's own.
var publicFakeKeys = []string{
	"b1bvyi1vEJNB6s9bJw7r8Euh2ONW3dDgSoZLXdj_mcs",
	"aAA0s3Wn_Q8r6QxrXNxX5MgQMMIl0ZKnZK_pKY44vZo",
	"Qf2AkSl7Rp5Sle8_u54Ck8-EDvQUP-TfsXib_MIpfW4",
	"oy1LK6J0MH1UT7eAh9Tq3ZkBxIX44WjYoVcGO82-5P4",
	"EjerK5VunTuxWwxrpaxrj6bejbiXozIYS-8hCGWuos4",
	"sCg639RLCiwoQJlKs9A-BPD4DPbrhUZi_jcuZJcP8iw",
	"xgH_P5X66i9bbDTWDRLY262dcVGNZvVdVc7-nxt1XUE",
	"gLBqzit890oJ8vFAmPIgr0NuMtYzPuqxoXn2l7n3_4Q",
}

// PublicFakeKeys returns the RFC 7638 thumbprints of the fake's keys. They are refused unless the
// authority is on loopback or [Config.TrustPublicFakeKeys] is set.
func PublicFakeKeys() []string { return slices.Clone(publicFakeKeys) }

func isPublicFakeKey(key jose.JSONWebKey) bool {
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		// A key without a thumbprint is suspicious.
		return true
	}
	return slices.Contains(publicFakeKeys, base64.RawURLEncoding.EncodeToString(thumbprint))
}

// maxKnownKeys is about ten times the number of keys that an issuer publishes.
const maxKnownKeys = 100

// fakeKeys remembers which keys are the fake's, because a thumbprint costs more than the rest of a
// call with a remembered token. It compares pointers, which stay the same until the next fetch.
type fakeKeys struct {
	mu    sync.Mutex
	known map[any]bool // by public key: whether it is the fake's
}

func (f *fakeKeys) contains(key jose.JSONWebKey) bool {
	var pointer any
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		pointer = public
	case *ecdsa.PublicKey:
		pointer = public
	default:
		return isPublicFakeKey(key)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	fake, known := f.known[pointer]
	if known {
		return fake
	}
	if f.known == nil || len(f.known) >= maxKnownKeys {
		f.known = map[any]bool{}
	}
	fake = isPublicFakeKey(key)
	f.known[pointer] = fake
	return fake
}
