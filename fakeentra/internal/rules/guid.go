package rules

import (
	"crypto/sha256"
	"encoding/hex"
)

// GUID writes 16 bytes as a GUID with a version (RFC 9562 section 4). It changes the bytes.
func GUID(b []byte, version byte) string {
	b[6] = b[6]&0x0f | version
	b[8] = b[8]&0x3f | 0x80
	text := make([]byte, 36)
	for i, part := range []struct{ from, to, at int }{{0, 4, 0}, {4, 6, 9}, {6, 8, 14}, {8, 10, 19}, {10, 16, 24}} {
		hex.Encode(text[part.at:], b[part.from:part.to])
		if i > 0 {
			text[part.at-1] = '-'
		}
	}
	return string(text)
}

// GUIDOf makes a GUID from a name. The same name always gives the same GUID.
func GUIDOf(kind, name string) string {
	sum := sha256.Sum256([]byte(kind + "|" + name))
	return GUID(sum[:16], 0x50)
}
