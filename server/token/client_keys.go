package token

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxClientKeys bounds the keys of one client.
const maxClientKeys = 20

// secretMembers are the members of private and symmetric keys (RFC 7518 section 6).
var secretMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// ParseClientKeys reads the JWKS of a client (RFC 7517 section 5), whose keys need no ID. It skips
// keys that are for another use. It refuses the whole set if one key is private, symmetric or weak,
// because its owner has to replace that key.
func ParseClientKeys(document []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil || set.Keys == nil {
		return nil, errors.New("want a JWKS: a JSON object with the member keys, an array")
	}
	if len(set.Keys) > maxClientKeys {
		return nil, fmt.Errorf("want at most %d keys in the JWKS, got %d", maxClientKeys, len(set.Keys))
	}
	var keys []jose.JSONWebKey
	for i, member := range set.Keys {
		key, err := parseClientKey(member)
		if err != nil {
			return nil, fmt.Errorf("key %d of the JWKS: %w", i+1, err)
		}
		if key != nil {
			keys = append(keys, *key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("want a public key for signatures in the JWKS, an RSA or P-256 key; got none")
	}
	return keys, nil
}

// parseClientKey returns nil for a key that cannot verify an assertion.
func parseClientKey(member jsontext.Value) (*jose.JSONWebKey, error) {
	var named map[string]jsontext.Value
	if err := json.Unmarshal(member, &named); err != nil {
		return nil, errors.New("want a JSON object without repeated members")
	}
	for _, name := range secretMembers {
		if _, found := named[name]; found {
			return nil, fmt.Errorf("want a public key, got the member %q of a private or symmetric one", name)
		}
	}
	var hints struct {
		Type   string   `json:"kty"`
		Use    string   `json:"use"`
		KeyOps []string `json:"key_ops"`
	}
	var key jose.JSONWebKey
	switch {
	case json.Unmarshal(member, &hints) != nil:
		return nil, errors.New("want texts as kty, use and key_ops")
	case hints.Type == "oct":
		return nil, errors.New("want a public key, got a symmetric one")
	case hints.Use != "" && hints.Use != "sig", hints.KeyOps != nil && !slices.Contains(hints.KeyOps, "verify"):
		return nil, nil
	case stdjson.Unmarshal(member, &key) != nil:
		return nil, nil // of another type
	case len(key.KeyID) > maxKeyID:
		return nil, fmt.Errorf("want a kid of at most %d bytes", maxKeyID)
	case !verifies(key.Key):
		return nil, fmt.Errorf("want an elliptic curve key, or RSA of at least %d bits; got a weak key", minRSABits)
	}
	return &key, nil
}
