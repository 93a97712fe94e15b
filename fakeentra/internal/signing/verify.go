package signing

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// The reasons to refuse a token.
var (
	ErrExpired = errors.New("expired")
	ErrForeign = errors.New("not a token of this fake")
)

// Verify checks a token and returns its claims. It also verifies tokens for Graph. The error is
// ErrExpired, ErrForeign, or the error of a decoder.
func (k *Keys) Verify(raw string, now time.Time) (map[string]any, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, ErrForeign
	}
	var header Header
	claims := map[string]any{}
	for i, into := range []any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, ErrForeign
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
	for _, key := range k.all() {
		if key.id == header.KeyID &&
			rsa.VerifyPKCS1v15(&key.private.PublicKey, crypto.SHA256, digest[:], signature) == nil {
			if expiry, _ := claims["exp"].(float64); now.Unix() >= int64(expiry) {
				return nil, ErrExpired
			}
			return claims, nil
		}
	}
	return nil, ErrForeign
}
