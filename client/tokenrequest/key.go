package tokenrequest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mcpentra/client/internal/printable"
)

// A Key signs the assertions of a client that authenticates with private_key_jwt (OpenID Connect
// Core section 9, RFC 7523 section 2.2).
type Key struct {
	signer     crypto.Signer
	algorithms []jose.SignatureAlgorithm // the preferred one first
	id         string
	thumbprint string // of the certificate; Entra ID finds the key by it
}

const (
	// minRSA is the minimum length of an RSA key in bits (RFC 7518 section 3.3).
	minRSA = 2048
	// assertionLifetime bounds the use of an assertion. Each request has its own.
	assertionLifetime = 2 * time.Minute
)

// ReadKey reads a private key in PEM: PKCS #8, PKCS #1 or SEC 1. The key is an elliptic curve key
// on P-256, or an RSA key of at least 2048 bits. If the text also holds a certificate, the
// assertions name it. algorithm is ES256, RS256 or PS256; empty means the first one that fits the
// key and the server. id is the key's ID, or empty.
func ReadKey(text []byte, algorithm, id string) (*Key, error) {
	key := &Key{id: id}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "CERTIFICATE" && key.thumbprint == "":
			sum := sha256.Sum256(block.Bytes)
			key.thumbprint = base64.RawURLEncoding.EncodeToString(sum[:])
		case strings.HasSuffix(block.Type, "PRIVATE KEY") && key.signer == nil:
			if err := key.read(block); err != nil {
				return nil, err
			}
		}
	}
	if key.signer == nil {
		return nil, errors.New("client key: want a private key in PEM, got none")
	}
	if algorithm != "" {
		if !slices.Contains(key.algorithms, jose.SignatureAlgorithm(algorithm)) {
			return nil, fmt.Errorf(
				"client key: want one of %v as the algorithm of this key, got %q",
				key.algorithms,
				printable.Text(algorithm),
			)
		}
		key.algorithms = []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)}
	}
	return key, nil
}

func (k *Key) read(block *pem.Block) error {
	var parsed any
	var err error
	switch block.Type {
	case "EC PRIVATE KEY":
		parsed, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return errors.New(
			"client key: want a private key without a passphrase, got an encrypted one; " +
				"decrypt it into a file that only you can read",
		)
	default:
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		// The cause may quote the key.
		return fmt.Errorf(
			"client key: want a private key in PKCS #8, PKCS #1 or SEC 1, got other bytes in %q",
			block.Type,
		)
	}
	switch parsed := parsed.(type) {
	case *ecdsa.PrivateKey:
		if parsed.Curve != elliptic.P256() {
			return fmt.Errorf("client key: want the curve P-256, got %s", parsed.Curve.Params().Name)
		}
		k.signer = parsed
		k.algorithms = []jose.SignatureAlgorithm{jose.ES256}
	case *rsa.PrivateKey:
		if parsed.N.BitLen() < minRSA {
			return fmt.Errorf("client key: want at least %d bits, got %d", minRSA, parsed.N.BitLen())
		}
		k.signer = parsed
		k.algorithms = []jose.SignatureAlgorithm{jose.PS256, jose.RS256}
	default:
		return fmt.Errorf("client key: want an elliptic curve or RSA key, got %T", parsed)
	}
	return nil
}

// assertion signs an assertion of the client's identity for one issuer. accepted are the algorithms
// that the issuer accepts; empty means any.
func (k *Key) assertion(client, issuer string, accepted []string, now time.Time) (string, error) {
	algorithm, err := k.chooseAlgorithm(accepted)
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	if k.id != "" {
		options.WithHeader("kid", k.id)
	}
	if k.thumbprint != "" {
		options.WithHeader("x5t#S256", k.thumbprint)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: k.signer}, options)
	if err != nil {
		return "", fmt.Errorf("client key: %w", err)
	}
	text, err := jwt.Signed(signer).Claims(struct {
		Issuer    string `json:"iss"`
		Subject   string `json:"sub"`
		Audience  string `json:"aud"`
		Expiry    int64  `json:"exp"`
		NotBefore int64  `json:"nbf"`
		IssuedAt  int64  `json:"iat"`
		ID        string `json:"jti"`
	}{
		Issuer:    client,
		Subject:   client,
		Audience:  issuer,
		Expiry:    now.Add(assertionLifetime).Unix(),
		NotBefore: now.Unix(),
		IssuedAt:  now.Unix(),
		ID:        rand.Text(),
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("client key: %w", err)
	}
	return text, nil
}

// chooseAlgorithm returns the key's first algorithm that the issuer accepts.
func (k *Key) chooseAlgorithm(accepted []string) (jose.SignatureAlgorithm, error) {
	for _, algorithm := range k.algorithms {
		if len(accepted) == 0 || slices.Contains(accepted, string(algorithm)) {
			return algorithm, nil
		}
	}
	return "", fmt.Errorf(
		"client key: want a key for %s, as the authorization server accepts, got a key for %v",
		printable.Text(strings.Join(accepted, ", ")),
		k.algorithms,
	)
}
