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
	// minRSABits is the minimum of RFC 7518 section 3.3.
	minRSABits = 2048
	// maxRSABits keeps a hostile document from making every check slow.
	maxRSABits = 8192
	// maxKeys is the upper end of a key cache in Entra's guidance.
	maxKeys = 1000
)

// parseKeySet reads a JWKS document (RFC 7517 section 5). It skips keys that cannot verify
// signatures; an error means that the document itself is not a key set. issuers, if there are any,
// are the allowed values of a key's member "issuer": Entra publishes keys of several issuers in one
// document, and each key names its issuer there.
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

// verifies reports whether a key is public and strong enough. Symmetric keys do not pass, nor
// private keys that were published by mistake.
func verifies(key any) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		// With an exponent of 1, every signature equals its message.
		return bits >= minRSABits && bits <= maxRSABits && key.E >= 3 && key.E%2 == 1 && !isROCA(key.N)
	case *ecdsa.PublicKey:
		return key.Curve == elliptic.P256() || key.Curve == elliptic.P384() || key.Curve == elliptic.P521()
	case ed25519.PublicKey:
		return len(key) == ed25519.PublicKeySize
	}
	return false
}
