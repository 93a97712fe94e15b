package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"mcpentra/conformance/loopback"
)

// A Flaw is a fault of a server's certificate, or of its TLS version.
type Flaw string

const (
	SelfSigned Flaw = "self-signed"
	OutOfDate  Flaw = "expired"
	OtherName  Flaw = "for another name"
	OldTLS     Flaw = "TLS 1.1 at most"
)

// authority is the certificate authority of one lab.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority() *authority {
	a := &authority{}
	a.certificate, a.key = sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: "lab"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
	}, nil)
	return a
}

// sign makes a certificate. It panics when it fails, which has no outside cause.
func sign(template *x509.Certificate, by *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	parent := template
	signer := key
	if by != nil {
		parent = by.certificate
		signer = by.key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		panic(err)
	}
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		panic(err)
	}
	return certificate, key
}

// config returns the TLS configuration of a server on loopback. An empty flaw means a good server.
func (a *authority) config(flaw Flaw) *tls.Config {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "lab"},
		DNSNames:    append(slices.Collect(maps.Values(publicNames)), "localhost"),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:   time.Now().Add(-2 * time.Hour),
		NotAfter:    time.Now().Add(24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	by := a
	switch flaw {
	case SelfSigned:
		by = nil
	case OutOfDate:
		template.NotAfter = time.Now().Add(-time.Hour)
	case OtherName:
		template.DNSNames = []string{"another.example"}
		template.IPAddresses = nil
	}
	certificate, key := sign(template, by)
	pair := tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	if flaw == OldTLS {
		config.MinVersion = tls.VersionTLS10
		config.MaxVersion = tls.VersionTLS11
	}
	return config
}

// transport returns a transport that trusts the authority.
func (a *authority) transport() *http.Transport {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool},
		DisableKeepAlives: true,
		DialContext:       loopback.Dial,
	}
}

// WriteCA writes the lab's certificate authority to a file in a directory and returns its name.
func (l *Lab) WriteCA(directory string) (string, error) {
	name := filepath.Join(directory, "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.ca.certificate.Raw})
	return name, os.WriteFile(name, text, 0o600)
}
