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
)

// A Key signs the assertions of a client that authenticates with private_key_jwt (OpenID Connect
// Core section 9, RFC 7523 section 2.2).
type Key struct {
	signer     crypto.Signer
	algorithms []jose.SignatureAlgorithm // the preferred one first
	id         string
	thumbprint string // of the certificate, which is how Entra ID knows a key
}

// minRSA is the least length of an RSA key in bits (RFC 7518 section 3.3).
const minRSA = 2048

// assertionLifetime is how long an assertion can be used. It is made for one request.
const assertionLifetime = 2 * time.Minute

// ReadKey reads a private key in PEM: PKCS #8, PKCS #1 or SEC 1; an elliptic curve key on P-256 or
// an RSA key of at least 2048 bits. A certificate that stands beside it is named in the assertions.
// algorithm is ES256, RS256 or PS256; empty means the one that fits the key and the server. id is
// the key's ID, if it has one.
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
		return nil, errors.New("client key: want a private key in PEM, and there is none")
	}
	if algorithm != "" {
		if !slices.Contains(key.algorithms, jose.SignatureAlgorithm(algorithm)) {
			return nil, fmt.Errorf(
				"client key: %q is not for this key: want one of %v",
				printable(algorithm),
				key.algorithms,
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
			"client key: the private key is encrypted; want it without a passphrase, in a file that only you can read",
		)
	default:
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return errors.New("client key: the private key cannot be read") // the cause may quote it
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

// assertion proves who the client is to one issuer.
func (k *Key) assertion(client, issuer string, taken []string, now time.Time) (string, error) {
	algorithm := k.algorithms[0]
	if len(taken) > 0 {
		at := slices.IndexFunc(
			k.algorithms,
			func(one jose.SignatureAlgorithm) bool { return slices.Contains(taken, string(one)) },
		)
		if at < 0 {
			return "", fmt.Errorf(
				"client key: the authorization server takes %s, and the key makes %v",
				printable(strings.Join(taken, ", ")),
				k.algorithms,
			)
		}
		algorithm = k.algorithms[at]
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
	}{client, client, issuer, now.Add(assertionLifetime).Unix(), now.Unix(), now.Unix(), rand.Text()}).Serialize()
	if err != nil {
		return "", fmt.Errorf("client key: %w", err)
	}
	return text, nil
}
