package doctor_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
)

// TestWalkEndsAtHostileServers wants an end within bounds from servers that never end.
func TestWalkEndsAtHostileServers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		serve    http.HandlerFunc
		patience time.Duration // 0 for a server whose answers come at once
		want     string
	}{
		{"silent", silent, 300 * time.Millisecond, "no-answer"},
		{"endless", endless, 0, "endpoint-is-page"},
		{"endless stream", endlessStream, time.Second, "endpoint-is-page"},
		{"redirects", endlessRedirects, 0, "endpoint-redirects"},
		{"many values", manyValues, 0, "challenge-without-metadata"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			report := walk(t, doctor.Config{URL: serve(t, test.serve), Patience: test.patience})
			assert.Contains(t, codes(report), test.want)
		})
	}
}

// silent waits until the client has closed the connection. The server notices that only after the
// body was read.
func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func endless(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, strings.Repeat(" ", 64<<10)); err != nil {
			return
		}
	}
}

func endlessStream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	silent(w, r)
}

func endlessRedirects(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, r.URL.Path+"x", http.StatusTemporaryRedirect)
}

// manyValues names thousands of authorization servers and endpoints.
func manyValues(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/mcp" {
		w.Header().Set("WWW-Authenticate", strings.Repeat("Bearer a=b, ", 5000))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	servers := strings.TrimSuffix(strings.Repeat(`"http://`+r.Host+`",`, 5000), ",")
	_, _ = io.WriteString(w, `{"resource":"http://`+r.Host+`/mcp","authorization_servers":[`+servers+`]}`)
}

// TestWalkStaysOutside wants no request inside the machine for a server on the internet.
func TestWalkStaysOutside(t *testing.T) {
	t.Parallel()
	reached := make(chan string, 1)
	inside := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		reached <- r.URL.Path
	}))
	t.Cleanup(inside.Close)
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/mcp" {
			w.Header().Set("WWW-Authenticate", `Bearer resource_metadata="`+inside.URL+`/secret"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"resource":"http://mcp.example.com/mcp","authorization_servers":["`+inside.URL+`"]}`)
	}))
	t.Cleanup(outside.Close)
	report := walk(t, doctor.Config{
		URL: "http://mcp.example.com/mcp",
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if !strings.HasPrefix(address, "mcp.example.com:") {
				return (&net.Dialer{}).DialContext(ctx, network, address)
			}
			connection, err := (&net.Dialer{}).DialContext(ctx, network, outside.Listener.Addr().String())
			return elsewhere{connection, net.IPv4(203, 0, 113, 7)}, err
		},
	})
	assert.Empty(t, reached)
	assert.Contains(t, codes(report), "challenge-other-host")
	assert.Contains(t, codes(report), "authorization-server-inside")
	assert.Contains(t, codes(report), "plain-http")
}

// elsewhere is a connection that seems to come from another address.
type elsewhere struct {
	net.Conn
	at net.IP
}

func (e elsewhere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: e.at, Port: 443} }

func TestWalkNamesPrivateNetworks(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	report := walk(t, doctor.Config{
		URL: "http://mcp.example.com/mcp",
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			connection, err := (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
			return elsewhere{connection, net.IPv4(10, 0, 0, 7)}, err
		},
	})
	assert.Contains(t, codes(report), "private-address")
	assert.Contains(t, codes(report), "plain-http")
}

func TestWalkNamesSilentPorts(t *testing.T) {
	t.Parallel()
	report := walk(t, doctor.Config{
		URL:  "http://mcp.example.com/mcp",
		Dial: func(context.Context, string, string) (net.Conn, error) { return nil, os.ErrDeadlineExceeded },
	})
	assert.Equal(t, []string{"connection-timeout"}, codes(report))
	assert.Equal(t, 2, report.ExitStatus())
}

func TestWalkNamesFaultsOfCertificates(t *testing.T) {
	t.Parallel()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(secure.Certificate())
	_, port, err := net.SplitHostPort(secure.Listener.Addr().String())
	require.NoError(t, err)
	until := secure.Certificate().NotAfter
	lastDay := until.UTC().Format(time.DateOnly)
	for _, test := range []struct {
		name, host string
		roots      *x509.CertPool
		now        time.Time
		want       string
		seen       string
	}{
		{"good", "example.com", trusted, time.Time{}, "endpoint-not-found", ""},
		{"other name", "mcp.example.org", trusted, time.Time{}, "certificate-wrong-name", ""},
		{"unknown authority", "example.com", x509.NewCertPool(), time.Time{}, "certificate-authority-unknown", ""},
		{"expired", "example.com", trusted, until.Add(time.Hour), "certificate-expired", "ended on " + lastDay},
		{"early", "example.com", trusted, time.Unix(-1e9, 0), "certificate-not-yet-valid", "begins on 1970-01-01"},
		{"soon", "example.com", trusted, until.Add(-24 * time.Hour), "certificate-expires-soon", "ends on " + lastDay},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			config := doctor.Config{
				URL:     "https://" + net.JoinHostPort(test.host, port) + "/mcp",
				RootCAs: test.roots,
				Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return (&net.Dialer{}).DialContext(ctx, network, secure.Listener.Addr().String())
				},
			}
			if !test.now.IsZero() {
				config.Now = func() time.Time { return test.now }
			}
			report := walk(t, config)
			found := codes(report)
			assert.Contains(t, found, test.want)
			assert.Contains(t, seen(report, test.want), test.seen)
			assert.Contains(t, found, "endpoint-not-found", "the walk goes on")
		})
	}
}

func TestWalkNamesPortsWithoutTLS(t *testing.T) {
	t.Parallel()
	address := serve(t, http.NotFound)
	report := walk(t, doctor.Config{URL: strings.Replace(address, "http://", "https://", 1)})
	assert.Equal(t, []string{"tls-not-spoken"}, codes(report))
	assert.Equal(t, 2, report.ExitStatus())
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	report = walk(t, doctor.Config{URL: strings.Replace(secure.URL, "https://", "http://", 1) + "/mcp"})
	assert.Contains(t, codes(report), "tls-expected")
}
