package signing

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"embed"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

//go:embed keys/*.pem
var keyFiles embed.FS

// A Key is an RSA key with a self-signed certificate.
type Key struct {
	private     *rsa.PrivateKey
	certificate []byte // DER
	id          string
}

// ID returns the kid and x5t of a key. At Entra ID both are the SHA-1 of the certificate.
func (k *Key) ID() string { return k.id }

// Private returns the private key.
func (k *Key) Private() *rsa.PrivateKey { return k.private }

// Modulus returns the member n of the key's JWK (RFC 7518 section 6.3.1.1).
func (k *Key) Modulus() string {
	return base64.RawURLEncoding.EncodeToString(k.private.N.Bytes())
}

// A JWK is a key in a key set, with its members in the order of the wire. It has no alg.
type JWK struct {
	KeyType      string   `json:"kty"`
	Use          string   `json:"use"`
	ID           string   `json:"kid"`
	Thumbprint   string   `json:"x5t"`
	Modulus      string   `json:"n"`
	Exponent     string   `json:"e"`
	Certificates []string `json:"x5c"`
	Cloud        string   `json:"cloud_instance_name,omitempty"`
	Issuer       string   `json:"issuer,omitempty"`
}

// JWK returns the public key, without cloud and issuer.
func (k *Key) JWK() JWK {
	return JWK{
		KeyType:      "RSA",
		Use:          "sig",
		ID:           k.id,
		Thumbprint:   k.id,
		Modulus:      k.Modulus(),
		Exponent:     base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.private.E)).Bytes()),
		Certificates: []string{base64.StdEncoding.EncodeToString(k.certificate)},
	}
}

// sign returns an RS256 signature.
func (k *Key) sign(signed []byte) []byte {
	digest := sha256.Sum256(signed)
	signature, err := rsa.SignPKCS1v15(nil, k.private, crypto.SHA256, digest[:])
	if err != nil {
		panic(err) // the digest has the right length, and parsing checked the key
	}
	return signature
}

// embedded returns the keys in the source. A process parses them once.
var embedded = sync.OnceValue(func() []*Key {
	var keys []*Key
	for _, name := range []string{"public-1", "public-2", "public-3", "public-4", "personal-1"} {
		keys = append(keys, parseKey("keys/"+name+".pem"))
	}
	return keys
})

// embeddedExternal returns the keys in the source for External ID.
var embeddedExternal = sync.OnceValue(func() []*Key {
	var keys []*Key
	for _, name := range []string{"external-1", "external-2", "external-3"} {
		keys = append(keys, parseKey("keys/"+name+".pem"))
	}
	return keys
})

// parseKey reads a certificate and its key from an embedded file.
func parseKey(name string) *Key {
	text, err := keyFiles.ReadFile(name)
	if err != nil {
		panic(err) // our own file
	}
	certificate, rest := pem.Decode(text)
	private, _ := pem.Decode(rest)
	key, err := x509.ParsePKCS1PrivateKey(private.Bytes)
	if err != nil {
		panic(err)
	}
	return &Key{private: key, certificate: certificate.Bytes, id: thumbprint(certificate.Bytes)}
}

// Stranger returns a key that no fake publishes. It is also part of the source.
var Stranger = sync.OnceValue(func() *Key { return parseKey("keys/stranger.pem") })

// Thumbprints returns the RFC 7638 thumbprints (SHA-256, base64url) of the first keys of every
// fake.
func Thumbprints() []string {
	var prints []string
	for _, key := range slices.Concat(embedded(), embeddedExternal()) {
		public := jose.JSONWebKey{Key: &key.private.PublicKey}
		sum, err := public.Thumbprint(crypto.SHA256)
		if err != nil {
			panic(err) // RSA keys have one
		}
		prints = append(prints, base64.RawURLEncoding.EncodeToString(sum))
	}
	return prints
}

// The common names of the certificates.
const (
	workSubject     = "accounts.accesscontrol.windows.net"
	personalSubject = "Live ID STS Signing Public Key"
)

func newKey(now time.Time, subject string) (*Key, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("fakeentra: a new signing key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: subject},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(5, 0, 0),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("fakeentra: a new signing key: %w", err)
	}
	return &Key{private: key, certificate: certificate, id: thumbprint(certificate)}, nil
}

// mustNewKey is newKey for callers that return no error.
func mustNewKey(now time.Time, subject string) *Key {
	key, err := newKey(now, subject)
	if err != nil {
		panic(err)
	}
	return key
}

func thumbprint(certificate []byte) string {
	sum := sha1.Sum(certificate) // the definition of x5t (RFC 7517 section 4.8)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
