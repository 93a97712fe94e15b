package broker

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"strings"
)

// minSecretBits is the least that a client's secret must have. No stranger can guess it then. So
// wrong secrets need not lock the client out.
const minSecretBits = 128

// hashPrefix begins the hash of a secret in the file of clients, and names the function.
const hashPrefix = "sha256:"

// NewClientSecret makes a secret of 256 bits for a pre-registered client, and its hash for the file
// of clients (ClientPolicy.File).
func NewClientSecret(random io.Reader) (secret, hash string, err error) {
	bytes := make([]byte, 32)
	if _, err := io.ReadFull(random, bytes); err != nil {
		return "", "", fmt.Errorf("broker: no randomness: %w", err)
	}
	secret = base64.RawURLEncoding.EncodeToString(bytes)
	return secret, hashPrefix + hashed(secret), nil
}

// HashClientSecret returns the hash of a secret for the file of clients. It refuses a secret with
// fewer than 128 bits.
func HashClientSecret(secret string) (string, error) {
	if !isStrong(secret) {
		return "", fmt.Errorf(
			"broker: want a random secret of at least %d bits, such as %d characters of base64, got %d characters",
			minSecretBits,
			(minSecretBits+5)/6,
			len(secret),
		)
	}
	return hashPrefix + hashed(secret), nil
}

// readSecretHash returns the hash of a secret in the form in which records hold it.
func readSecretHash(text string) (string, error) {
	encoded, found := strings.CutPrefix(text, hashPrefix)
	sum, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if !found || err != nil || len(sum) != 32 {
		return "", fmt.Errorf("want %s and 43 characters, as the command \"client secret\" prints it", hashPrefix)
	}
	return encoded, nil
}

// isStrong reports whether a secret can have minSecretBits. The broker sees one secret alone, so it
// judges its alphabet and length. It refuses a text of very few different characters.
func isStrong(secret string) bool {
	different := map[rune]bool{}
	for _, r := range secret {
		different[r] = true
	}
	plain := strings.ReplaceAll(secret, "-", "") // of a UUID
	bits := 6.0
	switch {
	case strings.Trim(plain, "0123456789") == "":
		bits = math.Log2(10)
	case strings.Trim(plain, "0123456789abcdef") == "", strings.Trim(plain, "0123456789ABCDEF") == "":
		bits = 4
	}
	return bits*float64(len(plain)) >= minSecretBits && len(different) >= 8
}

// hasSecret reports whether a secret is one of the client's. It compares in constant time.
func (c *client) hasSecret(secret string) bool {
	presented := []byte(hashed(secret))
	same := subtle.ConstantTimeCompare([]byte(c.SecretHash), presented)
	for _, other := range c.otherSecrets {
		same |= subtle.ConstantTimeCompare([]byte(other), presented)
	}
	return same == 1
}
