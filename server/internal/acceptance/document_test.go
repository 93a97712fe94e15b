package acceptance_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"mcpentra/server/broker"
)

// documentURL is the ID of a client that its document describes.
const documentURL = "https://client.example.com/client.json"

// documentSite serves the document of every URL whose host ends in example.com. It returns the
// policy that reaches the site.
func documentSite(t *testing.T) broker.DocumentPolicy {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"client_id":                  "https://" + r.Host + r.URL.RequestURI(),
			"client_name":                "Notes",
			"redirect_uris":              []string{loopback},
			"token_endpoint_auth_method": "none",
		})
	}))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return broker.DocumentPolicy{
		RootCAs: roots,
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("93.184.215.14")}, nil
		},
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
		},
	}
}
