package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/server"
	"mcpentra/server/broker"
)

// documents returns a policy under which a handler serves all client documents, whatever their
// host. Every name has a public address. The address policy stays in force, so a request to a
// private address does not reach the handler.
func documents(t testing.TB, handler http.Handler) broker.DocumentPolicy {
	t.Helper()
	certificate := certificateFor(t, "*.mcp-auth-conformance.example")
	site := httptest.NewUnstartedServer(handler)
	site.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	site.StartTLS()
	t.Cleanup(site.Close)
	roots := x509.NewCertPool()
	roots.AddCert(certificate.Leaf)
	return broker.DocumentPolicy{
		RootCAs: roots,
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("93.184.215.14")}, nil
		},
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, site.Listener.Addr().String())
		},
	}
}

// TestClientSignsInByDocument signs our own client in by its document. Its host is on loopback and
// listed with its port.
func TestClientSignsInByDocument(t *testing.T) {
	t.Parallel()
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"client_id":     "https://" + r.Host + r.URL.Path,
			"client_name":   "Our client",
			"redirect_uris": []string{"http://localhost/callback"},
			"grant_types":   []string{"authorization_code", "refresh_token"},
		})
	}))
	t.Cleanup(site.Close)
	roots := x509.NewCertPool()
	roots.AddCert(site.Certificate())
	origin := startServer(t, func(config *server.Config) {
		config.Clients.Documents = broker.DocumentPolicy{
			Hosts:   []string{site.Listener.Addr().String()},
			RootCAs: roots,
		}
	})
	var asked string
	transport, err := client.New(client.Config{
		Server:         origin + "/mcp",
		ClientDocument: site.URL + "/client.json",
		Browser: func(ctx context.Context, page string) error {
			asked = page
			return visit(ctx, page)
		},
	})
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, origin+"/mcp",
		strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	answer, err := transport.RoundTrip(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	assert.NotEqual(t, http.StatusUnauthorized, answer.StatusCode)
	assert.Contains(t, asked, url.QueryEscape(site.URL+"/client.json"))
}

// certificateFor makes a certificate for names and for the addresses that checks try.
func certificateFor(t testing.TB, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		DNSNames:              names,
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 0, 0, 1), net.IPv4(169, 254, 169, 254)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}
