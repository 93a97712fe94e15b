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
	ErrExpired   = errors.New("expired")
	ErrForeign   = errors.New("not a token of this fake")
	ErrMalformed = errors.New("not a JWT")
	ErrAlgorithm = errors.New("the algorithm does not fit an RSA key")
)

// Verify checks a token and returns its claims. It also verifies tokens for Graph. The error is
// ErrMalformed, ErrAlgorithm, ErrForeign or ErrExpired.
func (k *Keys) Verify(raw string, now time.Time) (map[string]any, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, ErrMalformed
	}
	var header Header
	claims := map[string]any{}
	for i, into := range []any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, ErrMalformed
		}
		if err := json.NewDecoder(bytes.NewReader(text)).Decode(into); err != nil {
			return nil, ErrMalformed
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	switch {
	case err != nil:
		return nil, ErrMalformed
	case header.Algorithm == "" || header.Algorithm == "none":
		return nil, ErrMalformed
	case !isOfRSA(header.Algorithm):
		return nil, ErrAlgorithm
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

// isOfRSA reports whether an algorithm signs with RSA keys (RFC 7518 section 3.1).
func isOfRSA(algorithm string) bool {
	return strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
}
