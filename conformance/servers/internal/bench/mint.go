package bench

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Mint makes an access token with the issuer's key. Without edits the token is good. It is safe for
// concurrent use.
type Mint func(ctx context.Context, edits Edits) (string, error)

// Edits are the differences between a token and a good one. They are applied from top to bottom.
type Edits struct {
	// Algorithm replaces the issuer's: RS256, PS384, ES256, EdDSA, HS512 and so on, or none. It
	// also goes into the header, unless Header changes it there.
	Algorithm string
	// Key replaces the issuer's: a crypto.Signer, or the bytes of the secret for HS256, HS384 and
	// HS512.
	Key any
	// Header changes the members of the header. Numbers are json.Number.
	Header func(members map[string]any)
	// Claims changes the claims. Numbers are json.Number.
	Claims func(members map[string]any)
	// HeaderText changes the JSON text of the header before it is encoded and signed. It can repeat
	// members or break the syntax.
	HeaderText func(text []byte) []byte
	// ClaimsText changes the JSON text of the claims before it is encoded and signed.
	ClaimsText func(text []byte) []byte
	// Encoded changes the encoded header and claims, with the dot between them, before they are
	// signed.
	Encoded func(input string) string
	// Signature changes the signature.
	Signature func(signature []byte) []byte
}

// Remint returns a Mint for issuers whose access tokens are JWTs. It takes the header and the
// claims of a good token, applies the edits, and signs with the issuer's key: a crypto.Signer, or
// the bytes of the secret for HS256, HS384 and HS512.
func Remint(key any, good func(ctx context.Context) (string, error)) Mint {
	return func(ctx context.Context, edits Edits) (string, error) {
		token, err := good(ctx)
		if err != nil {
			return "", err
		}
		return edits.apply(token, key)
	}
}

func (e *Edits) apply(token string, key any) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("remint: the good token is not a JWT")
	}
	header, err := readMembers(parts[0])
	if err != nil {
		return "", fmt.Errorf("remint: header: %w", err)
	}
	claims, err := readMembers(parts[1])
	if err != nil {
		return "", fmt.Errorf("remint: claims: %w", err)
	}
	algorithm, _ := header["alg"].(string)
	if e.Algorithm != "" {
		algorithm = e.Algorithm
		header["alg"] = algorithm
	}
	if e.Key != nil {
		key = e.Key
	}
	input, err := writeMembers(header, e.Header, e.HeaderText)
	if err != nil {
		return "", err
	}
	payload, err := writeMembers(claims, e.Claims, e.ClaimsText)
	if err != nil {
		return "", err
	}
	input += "." + payload
	if e.Encoded != nil {
		input = e.Encoded(input)
	}
	signature, err := sign(algorithm, key, []byte(input))
	if err != nil {
		return "", err
	}
	if e.Signature != nil {
		signature = e.Signature(signature)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func readMembers(part string) (map[string]any, error) {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return nil, err
	}
	members := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // a float64 would be written as 1.7e+09
	return members, decoder.Decode(&members)
}

func writeMembers(members map[string]any, change func(map[string]any), changeText func([]byte) []byte) (string, error) {
	if change != nil {
		change(members)
	}
	text, err := json.Marshal(members)
	if err != nil {
		return "", fmt.Errorf("remint: %w", err)
	}
	if changeText != nil {
		text = changeText(text)
	}
	return base64.RawURLEncoding.EncodeToString(text), nil
}

// sign makes a JWS signature (RFC 7518 section 3). Libraries refuse the keys that attacks need:
// short RSA keys, empty secrets, and keys of another algorithm.
func sign(algorithm string, key any, input []byte) ([]byte, error) {
	if algorithm == "none" {
		return nil, nil
	}
	if signer, fits := key.(ed25519.PrivateKey); fits && algorithm == "EdDSA" {
		return signer.Sign(rand.Reader, input, crypto.Hash(0))
	}
	if len(algorithm) != 5 {
		return nil, fmt.Errorf("remint: there is no algorithm %q", algorithm)
	}
	hash, known := map[string]crypto.Hash{
		"256": crypto.SHA256,
		"384": crypto.SHA384,
		"512": crypto.SHA512,
	}[algorithm[2:]]
	if !known {
		return nil, fmt.Errorf("remint: there is no algorithm %q", algorithm)
	}
	digest := hash.New()
	digest.Write(input)
	sum := digest.Sum(nil)
	switch key := key.(type) {
	case []byte:
		if algorithm[:2] == "HS" {
			mac := hmac.New(hash.New, key)
			mac.Write(input)
			return mac.Sum(nil), nil
		}
	case *rsa.PrivateKey:
		switch algorithm[:2] {
		case "RS":
			return key.Sign(rand.Reader, sum, hash)
		case "PS":
			return key.Sign(rand.Reader, sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash})
		}
	case *ecdsa.PrivateKey:
		if algorithm[:2] == "ES" {
			r, s, err := ecdsa.Sign(rand.Reader, key, sum)
			if err != nil {
				return nil, err
			}
			size := (key.Curve.Params().BitSize + 7) / 8
			signature := make([]byte, 2*size)
			r.FillBytes(signature[:size])
			s.FillBytes(signature[size:])
			return signature, nil
		}
	}
	return nil, fmt.Errorf("remint: a key of type %T does not sign with %s", key, algorithm)
}
