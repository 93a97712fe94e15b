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

// publicFakeKeys are the RFC 7638 SHA-256 thumbprints of the keys that are embedded in the fake
// issuer. Their private halves stand in its source code: a token signed with one of them proves
// nothing, wherever the key is published. A test compares the list with the fake's own.
var publicFakeKeys = []string{
	"b1bvyi1vEJNB6s9bJw7r8Euh2ONW3dDgSoZLXdj_mcs",
	"aAA0s3Wn_Q8r6QxrXNxX5MgQMMIl0ZKnZK_pKY44vZo",
	"Qf2AkSl7Rp5Sle8_u54Ck8-EDvQUP-TfsXib_MIpfW4",
	"oy1LK6J0MH1UT7eAh9Tq3ZkBxIX44WjYoVcGO82-5P4",
	"EjerK5VunTuxWwxrpaxrj6bejbiXozIYS-8hCGWuos4",
}

// PublicFakeKeys returns the thumbprints of the keys that are refused, unless the authority is on
// loopback or [Config.TrustPublicFakeKeys] is set.
func PublicFakeKeys() []string { return slices.Clone(publicFakeKeys) }

func isPublicFakeKey(key jose.JSONWebKey) bool {
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		// A key that cannot be named cannot be cleared.
		return true
	}
	return slices.Contains(publicFakeKeys, base64.RawURLEncoding.EncodeToString(thumbprint))
}

// maxJudgedKeys is some ten times what an issuer publishes.
const maxJudgedKeys = 100

// judgedKeys remembers which keys are the fake's: a thumbprint costs more than the rest of a call
// whose token is known. A key is the same as long as it has not been fetched again.
type judgedKeys struct {
	mu    sync.Mutex
	fakes map[any]bool
}

func (j *judgedKeys) isPublicFake(key jose.JSONWebKey) bool {
	var same any
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		same = public
	case *ecdsa.PublicKey:
		same = public
	default:
		return isPublicFakeKey(key)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	fake, known := j.fakes[same]
	if known {
		return fake
	}
	if j.fakes == nil || len(j.fakes) >= maxJudgedKeys {
		j.fakes = map[any]bool{}
	}
	fake = isPublicFakeKey(key)
	j.fakes[same] = fake
	return fake
}
