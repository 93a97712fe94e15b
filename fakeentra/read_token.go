package fakeentra

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
)

// Why one of the fake's own tokens is not taken.
var (
	errExpired = errors.New("expired")
	errForeign = errors.New("not a token of this fake")
)

// readToken verifies one of the fake's own tokens, Graph's among them, and returns its claims.
func (f *Fake) readToken(raw string) (map[string]any, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, errForeign
	}
	var header orderedHeader
	claims := map[string]any{}
	for i, into := range []any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, errForeign
		}
		if err := json.NewDecoder(bytes.NewReader(text)).Decode(into); err != nil {
			return nil, err
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, err
	}
	signed := parts[0] + "." + parts[1]
	if header.Nonce != "" {
		signed = encode(hashedNonce(header)) + "." + parts[1]
	}
	digest := sha256.Sum256([]byte(signed))
	for _, key := range f.allKeys() {
		if key.id == header.KeyID && rsa.VerifyPKCS1v15(&key.private.PublicKey, crypto.SHA256, digest[:], signature) == nil {
			if expiry, _ := claims["exp"].(float64); f.now().Unix() >= int64(expiry) {
				return nil, errExpired
			}
			return claims, nil
		}
	}
	return nil, errForeign
}
