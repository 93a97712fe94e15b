package signing

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
)

// A Draft is a token before its signature. Changes to it make wrong tokens.
type Draft struct {
	Header Header
	// Changes sets members of the header. Nil removes a member.
	Changes map[string]any
	Claims  map[string]any
	// Payload replaces the claims, for a payload that no map can express.
	Payload []byte
	Key     *Key
	// Algorithm is RS256, RS384, RS512, PS256, HS256 with the PEM of the public key as the secret,
	// or none.
	Algorithm string
	// HashNonce makes the signature cover the hash of the nonce, as in tokens for Graph.
	HashNonce bool
}

// Sign signs the token. The error names a part that JSON cannot express, or an unknown algorithm.
func (d *Draft) Sign() (string, error) {
	payload := d.Payload
	if payload == nil {
		var err error
		payload, err = appendClaims(nil, d.Claims)
		if err != nil {
			return "", fmt.Errorf("fakeentra: mint: the claims: %w", err)
		}
	}
	body := "." + base64.RawURLEncoding.EncodeToString(payload)
	shown, err := d.encodedHeader(d.Header)
	if err != nil {
		return "", err
	}
	covered := shown
	if d.HashNonce {
		covered, err = d.encodedHeader(hashedNonce(d.Header))
		if err != nil {
			return "", err
		}
	}
	signature, err := d.signature([]byte(covered + body))
	if err != nil {
		return "", err
	}
	return shown + body + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func (d *Draft) encodedHeader(header Header) (string, error) {
	if len(d.Changes) == 0 {
		return encode(header), nil
	}
	text, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	members := map[string]any{}
	if err := json.Unmarshal(text, &members); err != nil {
		return "", err
	}
	Change(members, d.Changes)
	text, err = json.Marshal(members)
	if err != nil {
		return "", fmt.Errorf("fakeentra: mint: the header: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(text), nil
}

func (d *Draft) signature(signed []byte) ([]byte, error) {
	var hash crypto.Hash
	switch d.Algorithm {
	case "none":
		return nil, nil
	case "HS256":
		der, err := x509.MarshalPKIXPublicKey(&d.Key.private.PublicKey)
		if err != nil {
			return nil, err
		}
		mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		mac.Write(signed)
		return mac.Sum(nil), nil
	case "RS256", "PS256":
		hash = crypto.SHA256
	case "RS384":
		hash = crypto.SHA384
	case "RS512":
		hash = crypto.SHA512
	default:
		return nil, fmt.Errorf("fakeentra: mint: unknown algorithm %q; want RS256, RS384, RS512, PS256, HS256 or none",
			d.Algorithm)
	}
	digest := hash.New()
	digest.Write(signed)
	if d.Algorithm == "PS256" {
		salt := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		return rsa.SignPSS(rand.Reader, d.Key.private, hash, digest.Sum(nil), salt)
	}
	return rsa.SignPKCS1v15(nil, d.Key.private, hash, digest.Sum(nil))
}

// Change sets members. Nil removes a member.
func Change(members, changes map[string]any) {
	for name, value := range changes {
		if value == nil {
			delete(members, name)
		} else {
			members[name] = value
		}
	}
}
