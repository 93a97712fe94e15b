package entra

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	// assertionLifetime is how long a client assertion counts. Each token request gets its own.
	assertionLifetime = 5 * time.Minute
	// minCertificateKey is the smallest RSA key in bits that Entra takes.
	minCertificateKey = 2048
	// certificateWarning is the time before a certificate's end from which the log warns.
	certificateWarning = 14 * 24 * time.Hour
)

// A CertificateFile is a PEM file with an RSA key and its certificate, which is uploaded to the
// registration. Every token request reads the file. If it is broken, because another program writes
// it just now, the last good certificate still counts.
type CertificateFile struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	text   []byte // of the file, when it was last good
	broken []byte // of the file, when the log last complained
	signer jose.Signer
}

// NewCertificateFile reads the file. The logger records later changes of the file; nil discards.
// The error is a [*ConfigError].
func NewCertificateFile(path string, logger *slog.Logger) (*CertificateFile, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	f := &CertificateFile{path: path, log: logger}
	text, err := readCredentialFile(path)
	if err == nil {
		err = f.use(text, time.Now())
	}
	if err != nil {
		return nil, &ConfigError{"AUTH_CERTIFICATE_FILE", fmt.Sprintf("cannot be used: %v", err)}
	}
	return f, nil
}

// Authenticate implements [Credential]. It signs an assertion for the token endpoint ("Microsoft
// identity platform application authentication certificate credentials").
func (f *CertificateFile) Authenticate(_ context.Context, request CredentialRequest) (url.Values, error) {
	signed, err := jwt.Signed(f.current(request.Now)).Claims(jwt.Claims{
		Issuer:    request.ClientID,
		Subject:   request.ClientID,
		Audience:  jwt.Audience{request.TokenEndpoint},
		ID:        rand.Text(),
		IssuedAt:  jwt.NewNumericDate(request.Now),
		NotBefore: jwt.NewNumericDate(request.Now),
		Expiry:    jwt.NewNumericDate(request.Now.Add(assertionLifetime)),
	}).Serialize()
	if err != nil {
		return nil, fmt.Errorf("sign a client assertion: %w", err)
	}
	return AssertionParameters(signed), nil
}

// current returns the signer of the file as it is now.
func (f *CertificateFile) current(now time.Time) jose.Signer {
	text, err := readCredentialFile(f.path)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && bytes.Equal(text, f.text) {
		return f.signer
	}
	if err == nil {
		err = f.use(text, now)
	}
	switch {
	case err == nil:
		f.broken = nil
		f.log.Info("the certificate file has changed, and the new certificate counts", "file", f.path)
	case f.broken == nil || !bytes.Equal(f.broken, text):
		f.broken = append([]byte{}, text...)
		f.log.Warn("the certificate file cannot be used, so the last certificate still counts", "file", f.path,
			"error", err)
	}
	return f.signer
}

// use makes the key and the certificate of a text the current ones. The lock is held, except in the
// constructor.
func (f *CertificateFile) use(text []byte, now time.Time) error {
	key, certificate, err := readCertificate(text)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	thumbprint := sha256.Sum256(certificate.Raw) // RFC 7515 section 4.1.8
	options := (&jose.SignerOptions{}).WithType("JWT").
		WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(thumbprint[:]))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.PS256, Key: key}, options)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	f.text = text
	f.signer = signer
	if left := certificate.NotAfter.Sub(now); left < certificateWarning {
		f.log.Warn("the certificate expires soon, or has expired: make a new one, upload it to the registration "+
			"and write it to the file", "file", f.path, "expires", certificate.NotAfter)
	}
	return nil
}

// readCertificate finds the RSA key and its certificate among the blocks of a PEM file.
func readCertificate(text []byte) (*rsa.PrivateKey, *x509.Certificate, error) {
	var key *rsa.PrivateKey
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE":
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, fmt.Errorf("a certificate cannot be read: %w", err)
			}
			certificates = append(certificates, certificate)
		case "PRIVATE KEY", "RSA PRIVATE KEY":
			read, err := readRSAKey(block)
			if err != nil {
				return nil, nil, err
			}
			key = read
		case "ENCRYPTED PRIVATE KEY", "EC PRIVATE KEY":
			return nil, nil, fmt.Errorf("the key is a PEM block %q: want an RSA key without a password", block.Type)
		}
	}
	if key == nil {
		return nil, nil, errors.New("want a private key in PEM (PRIVATE KEY) beside the certificate")
	}
	for _, certificate := range certificates {
		if key.PublicKey.Equal(certificate.PublicKey) {
			return key, certificate, nil
		}
	}
	return nil, nil, errors.New("want the certificate of the key in the same file, in PEM (CERTIFICATE)")
}

func readRSAKey(block *pem.Block) (*rsa.PrivateKey, error) {
	var parsed any
	var err error
	if block.Type == "RSA PRIVATE KEY" {
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	} else {
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	key, isRSA := parsed.(*rsa.PrivateKey)
	switch {
	case err != nil:
		return nil, errors.New("the private key cannot be read") // the cause may quote the key
	case !isRSA:
		return nil, errors.New("want an RSA key: Entra takes no other in a certificate")
	case key.N.BitLen() < minCertificateKey:
		return nil, fmt.Errorf("the key has %d bits, want %d or more", key.N.BitLen(), minCertificateKey)
	}
	return key, nil
}
