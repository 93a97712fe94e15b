package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/pflag"

	"mcpentra/conformance/issuers"
)

// documentOptions are the flags about client ID metadata documents that the command serves.
type documentOptions struct {
	address string
	caFile  string
}

func (o *documentOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(
		&o.address,
		"documents",
		"",
		"serve client ID metadata documents at https://`HOST:PORT`; the server has to accept that host",
	)
	flags.StringVar(
		&o.caFile,
		"documents-ca",
		"",
		"write the certificate authority of --documents to this `FILE`, for the server",
	)
}

// documentHours is how long the certificates count.
const documentHours = 24 * time.Hour

// open serves documents, and fills the target. The caller calls stop at the end.
func (o *documentOptions) open(target *issuers.Target, log io.Writer) (stop func(), err error) {
	if o.caFile == "" {
		return nil, errors.New("--documents needs a file for its certificate authority; give --documents-ca too")
	}
	host, _, err := net.SplitHostPort(o.address)
	if err != nil || host == "" {
		return nil, fmt.Errorf("--documents: want HOST:PORT, for example 127.0.0.1:8443, got %q", o.address)
	}
	ca, certificate, err := newDocumentCertificate(host)
	if err != nil {
		return nil, fmt.Errorf("--documents: %w", err)
	}
	listener, err := net.Listen("tcp", o.address)
	if err != nil {
		return nil, fmt.Errorf("--documents: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca})
	if err := os.WriteFile(o.caFile, text, 0o644); err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("--documents-ca: %w", err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	base := "https://" + net.JoinHostPort(host, port)
	target.Documents = issuers.NewDocumentsAt(base)
	server := &http.Server{
		Handler:           target.Documents,
		ReadHeaderTimeout: 10 * time.Second,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}},
		ErrorLog:          stdlog.New(io.Discard, "", 0), // the checks break connections
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	fmt.Fprintf(log, "mcp-auth-conformance: client documents are at %s, and their authority is in %s\n", base, o.caFile)
	return func() { _ = server.Close() }, nil
}

// await waits for a server that the operator starts once the authority is in its file.
func (o *documentOptions) await(ctx context.Context, target *issuers.Target) error {
	if err := awaitServer(ctx, target.URL, time.Minute, nil); err != nil {
		return fmt.Errorf("--documents: %w", err)
	}
	return nil
}

// newDocumentCertificate makes a certificate authority and a certificate of it for a host.
func newDocumentCertificate(host string) (ca []byte, made tls.Certificate, err error) {
	caKey, errCA := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	key, errKey := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err := errors.Join(errCA, errKey); err != nil {
		return nil, made, err
	}
	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: "mcp-auth-conformance authority"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(documentHours),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	ca, err = x509.CreateCertificate(rand.Reader, authority, authority, caKey.Public(), caKey)
	if err != nil {
		return nil, made, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano() + 1),
		Subject:      pkix.Name{CommonName: host},
		NotBefore:    authority.NotBefore,
		NotAfter:     authority.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if address := net.ParseIP(host); address != nil {
		leaf.IPAddresses = []net.IP{address}
	} else {
		leaf.DNSNames = []string{host}
	}
	raw, err := x509.CreateCertificate(rand.Reader, leaf, authority, key.Public(), caKey)
	return ca, tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, err
}
