package entra

import (
	"crypto"
	"encoding/base64"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// publicFakeKeys are the RFC 7638 SHA-256 thumbprints of the keys that are embedded in the fake
// issuer. Their private halves stand in its source code: a token signed with one of them proves
// nothing, wherever the key is published. A test compares the list with the fake's own.
var publicFakeKeys = []string{}

// PublicFakeKeys returns the thumbprints of the keys that are refused unless
// [Config.TrustPublicFakeKeys] says otherwise.
func PublicFakeKeys() []string { return slices.Clone(publicFakeKeys) }

func isPublicFakeKey(key jose.JSONWebKey) bool {
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		// A key that cannot be named cannot be cleared.
		return true
	}
	return slices.Contains(publicFakeKeys, base64.RawURLEncoding.EncodeToString(thumbprint))
}
