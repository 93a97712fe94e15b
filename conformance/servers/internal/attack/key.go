package attack

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"

	"mcpentra/conformance/servers/internal/bench"
)

// NewKey makes a P-256 key that no issuer has.
func NewKey() crypto.Signer { return newECDSAKey(elliptic.P256()) }

// NewKeyFor makes a key for an algorithm that no issuer has.
func NewKeyFor(algorithm string) crypto.Signer {
	switch algorithm {
	case "ES256":
		return newECDSAKey(elliptic.P256())
	case "ES384":
		return newECDSAKey(elliptic.P384())
	case "ES512":
		return newECDSAKey(elliptic.P521())
	case "EdDSA":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err) // the reader of random numbers does not fail
		}
		return key
	}
	return newRSAKey()
}

func newRSAKey() crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // the reader of random numbers does not fail
	}
	return key
}

// unpublished is an RSA key that no key set ever has. To make one takes a tenth of a second.
var unpublished = sync.OnceValue(newRSAKey)

// NewSigningKey returns a key for an algorithm that no issuer has: a crypto.Signer, or the bytes of
// a secret for an HMAC.
func NewSigningKey(algorithm string) any {
	switch {
	case strings.HasPrefix(algorithm, "HS"):
		return []byte(rand.Text())
	case strings.HasPrefix(algorithm, "RS"), strings.HasPrefix(algorithm, "PS"):
		return unpublished()
	}
	return NewKeyFor(algorithm)
}

func newECDSAKey(curve elliptic.Curve) crypto.Signer {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err) // the reader of random numbers does not fail
	}
	return key
}

// A PublishedKey is a public key of the issuer, with its JSON text.
type PublishedKey struct {
	text string
	key  jose.JSONWebKey
}

// PublishedKeys reads the key set of the authorization server that the target names. The key that
// signed the good token comes first. Not every issuer publishes its keys, so a missing key set is
// not an error.
func (jwt *JWT) PublishedKeys(ctx context.Context, p *bench.Probe) []PublishedKey {
	document, _, _, err := FindIssuer(ctx, p)
	if err != nil || document.JWKSURI == "" {
		return nil
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if _, err := p.JSON(ctx, document.JWKSURI, &set); err != nil {
		return nil
	}
	var keys []PublishedKey
	for _, text := range set.Keys {
		published := PublishedKey{text: string(text)}
		if err := json.Unmarshal(text, &published.key); err == nil && published.key.IsPublic() {
			keys = append(keys, published)
		}
	}
	own := Text(jwt.Header, "kid")
	if i := slices.IndexFunc(keys, func(published PublishedKey) bool { return published.key.KeyID == own }); i > 0 {
		first := keys[i]
		keys = slices.Insert(slices.Delete(keys, i, i+1), 0, first)
	}
	return keys
}

// A Secret is a public value that a server could mistake for a shared secret.
type Secret struct {
	Name  string
	Value []byte
}

// Secrets returns everything public about the issuer and its first key that a server could mistake
// for a shared secret.
func (jwt *JWT) Secrets(keys []PublishedKey) []Secret {
	secrets := []Secret{
		{"nothing", []byte{}},
		{"the key id", []byte(Text(jwt.Header, "kid"))},
	}
	for _, claim := range []string{"tid", "client_id", "azp", "appid", "iss"} {
		if value := Text(jwt.Claims, claim); value != "" {
			secrets = append(secrets, Secret{"the claim " + claim, []byte(value)})
		}
	}
	if len(keys) > 0 {
		secrets = append(secrets, keys[0].encodings()...)
	}
	return secrets
}

// encodings returns the forms in which a public key is published or stored.
func (k *PublishedKey) encodings() []Secret {
	secrets := []Secret{{"the JWK", []byte(k.text)}}
	if der, err := x509.MarshalPKIXPublicKey(k.key.Key); err == nil {
		block := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		secrets = append(secrets,
			Secret{"the key in DER", der},
			Secret{"the key in PEM", []byte(block)},
			Secret{"the key in PEM, without the last line break", []byte(strings.TrimSpace(block))},
			Secret{"the key in base64", []byte(base64.StdEncoding.EncodeToString(der))},
		)
	}
	switch key := k.key.Key.(type) {
	case *rsa.PublicKey:
		der := x509.MarshalPKCS1PublicKey(key)
		secrets = append(secrets,
			Secret{"the modulus", key.N.Bytes()},
			Secret{"PKCS 1 in DER", der},
			Secret{"PKCS 1 in PEM", pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: der})},
		)
	case *ecdsa.PublicKey:
		if point, err := key.Bytes(); err == nil {
			secrets = append(secrets,
				Secret{"the point", point},
				Secret{"the coordinate x", point[1 : 1+(len(point)-1)/2]},
			)
		}
	}
	for _, certificate := range k.key.Certificates {
		block := &pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}
		secrets = append(secrets,
			Secret{"the certificate in DER", certificate.Raw},
			Secret{"the certificate in PEM", pem.EncodeToMemory(block)},
		)
	}
	return secrets
}
