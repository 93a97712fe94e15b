package signing

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// JWT signs claims with RS256. The header of a v1 token names the key in kid and in x5t.
func JWT(claims map[string]any, v1 bool, key *Key) string {
	header := Header{Type: "JWT", Algorithm: "RS256", KeyID: key.id}
	if v1 {
		header.Thumbprint = key.id
	}
	token := appendEncoded(make([]byte, 0, tokenSize), header)
	token = appendPayload(token, claims)
	signature := key.sign(token)
	return string(base64.RawURLEncoding.AppendEncode(append(token, '.'), signature))
}

// tokenSize is the initial capacity for a token in bytes. Most tokens are smaller.
const tokenSize = 2048

// GraphJWT signs a token that only Graph can verify. The signature covers the hash of the nonce,
// and the header shows the nonce itself.
func GraphJWT(claims map[string]any, nonce []byte, key *Key) string {
	header := Header{
		Type:       "JWT",
		Nonce:      base64.RawURLEncoding.EncodeToString(nonce),
		Algorithm:  "RS256",
		Thumbprint: key.id,
		KeyID:      key.id,
	}
	payload := appendPayload(nil, claims)
	signature := key.sign(append(appendEncoded(make([]byte, 0, tokenSize), hashedNonce(header)), payload...))
	token := append(appendEncoded(make([]byte, 0, tokenSize), header), payload...)
	return string(base64.RawURLEncoding.AppendEncode(append(token, '.'), signature))
}

// hashedNonce returns the header that the signature of a token for Graph covers.
func hashedNonce(header Header) Header {
	sum := sha256.Sum256([]byte(header.Nonce))
	header.Nonce = base64.RawURLEncoding.EncodeToString(sum[:])
	return header
}

// A Header is the JOSE header of a token, with its members in the order of the wire.
type Header struct {
	Type       string `json:"typ"`
	Nonce      string `json:"nonce,omitempty"`
	Algorithm  string `json:"alg"`
	Thumbprint string `json:"x5t,omitempty"`
	KeyID      string `json:"kid"`
}

// encode returns a value as a part of a token.
func encode(value any) string { return string(appendEncoded(nil, value)) }

// appendEncoded appends a value as a part of a token.
func appendEncoded(to []byte, value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // strings and numbers
	}
	return base64.RawURLEncoding.AppendEncode(to, text)
}

// appendPayload appends the second part of a token.
func appendPayload(to []byte, claims map[string]any) []byte {
	text, err := appendClaims(make([]byte, 0, tokenSize), claims)
	if err != nil {
		panic(err) // strings, numbers, lists of them
	}
	return base64.RawURLEncoding.AppendEncode(append(to, '.'), text)
}
