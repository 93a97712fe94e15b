package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
)

// A signer is a certificate authority, or a host with its certificate.
type signer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// issue makes a certificate for a name, signed by the signer or by itself.
func (s *signer) issue(t *testing.T, name string, change func(*x509.Certificate)) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-100 * 24 * time.Hour),
		NotAfter:              time.Now().Add(100 * 24 * time.Hour),
		BasicConstraintsValid: true,
	}
	change(template)
	parent := template
	signing := key
	if s != nil {
		parent = s.certificate
		signing = s.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signing)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &signer{certificate, key}
}

// An authority issues certificates through an intermediate one, as public authorities do.
type authority struct{ root, intermediate *signer }

func newAuthority(t *testing.T) *authority {
	t.Helper()
	signs := func(template *x509.Certificate) { template.IsCA = true }
	root := (*signer)(nil).issue(t, "Root of the test", signs)
	return &authority{root, root.issue(t, "Intermediate of the test", signs)}
}

// pool returns the pool of a client that trusts the authority.
func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root.certificate)
	return pool
}

// forLocalhost describes the right certificate of the proxy.
func forLocalhost(template *x509.Certificate) { template.DNSNames = []string{"localhost"} }

// A fault in a certificate.
func expired(template *x509.Certificate) {
	forLocalhost(template)
	template.NotAfter = time.Now().Add(-time.Hour)
}

func forAnotherHost(template *x509.Certificate) { template.DNSNames = []string{"www.example.com"} }

// useCertificate gives the proxy a certificate, with or without the intermediate one.
func (p *proxy) useCertificate(from *authority, change func(*x509.Certificate), isWhole bool) {
	p.t.Helper()
	leaf := from.intermediate.issue(p.t, "A host of the test", change)
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.certificate.Raw})
	if isWhole {
		intermediate := &pem.Block{Type: "CERTIFICATE", Bytes: from.intermediate.certificate.Raw}
		chain = append(chain, pem.EncodeToMemory(intermediate)...)
	}
	private, err := x509.MarshalPKCS8PrivateKey(leaf.key)
	require.NoError(p.t, err)
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	require.NoError(p.t, os.WriteFile(filepath.Join(p.folder, "cert.pem"), chain, 0o600))
	require.NoError(p.t, os.WriteFile(filepath.Join(p.folder, "key.pem"), key, 0o600))
	p.isTLS = true
}

// tlsDeployments are faults in the certificate of a proxy.
func tlsDeployments() []deployment {
	renewed := remedy{doctor.ProxyLine, "", func(w *world, _ doctor.Fix) { w.certify(forLocalhost, true) }}
	return []deployment{
		{
			name:   "tls-expired",
			proxy:  "nginx with TLS",
			breaks: func(w *world) { w.certify(expired, true) },
			want:   []string{"certificate-expired"},
			mend:   renewed,
		},
		{
			name:   "tls-wrong-name",
			proxy:  "nginx with TLS",
			breaks: func(w *world) { w.certify(forAnotherHost, true) },
			want:   []string{"certificate-wrong-name"},
			mend:   renewed,
		},
		{
			name:   "tls-chain-incomplete",
			proxy:  "caddy with TLS",
			breaks: func(w *world) { w.certify(forLocalhost, false) },
			want:   []string{"certificate-chain-incomplete"},
			mend:   renewed,
		},
		{
			name:      "tls-host-with-underscore",
			proxy:     "nginx with TLS",
			breaks:    func(w *world) { w.rename("mcp_tools.example.com") },
			isWarning: true,
			want:      []string{"host-with-underscore"},
			mend: remedy{doctor.ServerSetting, ".env", func(w *world, fix doctor.Fix) {
				host, _, err := net.SplitHostPort(strings.TrimPrefix(fix.Text, "MCP_PUBLIC_URL=https://"))
				require.NoError(w.t, err)
				w.rename(host)
			}},
		},
		{
			name:   "tls-authority-unknown",
			proxy:  "caddy with TLS",
			breaks: func(w *world) { w.proxy.useCertificate(newAuthority(w.t), forLocalhost, true) },
			want:   []string{"certificate-authority-unknown"},
			mend:   renewed,
		},
	}
}

// certify gives the proxy a certificate of the trusted authority.
func (w *world) certify(change func(*x509.Certificate), isWhole bool) {
	w.proxy.useCertificate(w.trusted, change, isWhole)
}
