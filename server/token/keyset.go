package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	stdjson "encoding/json"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// minRSABits is the least that RFC 7518 section 3.3 allows.
	minRSABits = 2048
	// maxRSABits keeps a hostile document from making every check slow.
	maxRSABits = 8192
	// maxKeys is what Entra's guidance names as the upper end of a key cache.
	maxKeys = 1000
)

// parseKeySet reads a JWKS document (RFC 7517 section 5). A key that is of no use for verifying
// signatures is left out and never spoils its neighbours; an error means that the document itself
// is not a key set. issuers, when there are any, are the values that a key's member "issuer" may
// have: Entra publishes keys of several issuers in one document and says there which may sign for
// whom.
func parseKeySet(document []byte, issuers []string) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, errors.New("not a JWKS document")
	}
	if set.Keys == nil {
		return nil, errors.New("a JWKS document without keys")
	}
	if len(set.Keys) > maxKeys {
		return nil, errors.New("a JWKS document with too many keys")
	}
	keys := make([]jose.JSONWebKey, 0, len(set.Keys))
	for _, member := range set.Keys {
		if key, ok := parseKey(member, issuers); ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func parseKey(member jsontext.Value, issuers []string) (jose.JSONWebKey, bool) {
	var hints struct {
		KeyOps []string `json:"key_ops"`
		Issuer *string  `json:"issuer"`
	}
	var key jose.JSONWebKey
	switch {
	case json.Unmarshal(member, &hints) != nil, stdjson.Unmarshal(member, &key) != nil:
		return key, false
	case key.KeyID == "" || len(key.KeyID) > maxKeyID:
		return key, false
	case key.Use != "" && key.Use != "sig":
		return key, false
	case hints.KeyOps != nil && !slices.Contains(hints.KeyOps, "verify"):
		return key, false
	case hints.Issuer != nil && len(issuers) > 0 && !slices.Contains(issuers, *hints.Issuer):
		return key, false
	}
	return key, verifies(key.Key)
}

// verifies reports whether a key is a public one that is strong enough. Symmetric keys, and private
// ones that somebody published by mistake, are not.
func verifies(key any) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		// An exponent of 1 makes every signature its own message.
		return key.N.BitLen() >= minRSABits && key.N.BitLen() <= maxRSABits && key.E >= 3 && key.E%2 == 1 && !isROCA(key.N)
	case *ecdsa.PublicKey:
		return key.Curve == elliptic.P256() || key.Curve == elliptic.P384() || key.Curve == elliptic.P521()
	case ed25519.PublicKey:
		return len(key) == ed25519.PublicKeySize
	}
	return false
}
