package postgres_test

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/internal/engine"
	"mcpentra/server/store/postgres"
)

// sslRequest asks a server for TLS (PostgreSQL's protocol, section "SSLRequest").
const sslRequest = "\x00\x00\x00\x08\x04\xd2\x16\x2f"

// serveTLS accepts connections to PostgreSQL with TLS, and passes their bytes on to its socket. It
// returns the port.
func serveTLS(t *testing.T, socket string, certificate tls.Certificate) (port string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		all.Wait()
	})
	serve := func(plain net.Conn) {
		defer plain.Close()
		asked := make([]byte, len(sslRequest))
		if _, err := io.ReadFull(plain, asked); err != nil || string(asked) != sslRequest {
			return
		}
		_, _ = plain.Write([]byte("S"))
		encrypted := tls.Server(plain, &tls.Config{Certificates: []tls.Certificate{certificate}})
		database, err := net.Dial("unix", socket)
		if err != nil {
			return
		}
		defer database.Close()
		all.Go(func() {
			_, _ = io.Copy(encrypted, database)
			_ = plain.Close()
		})
		_, _ = io.Copy(database, encrypted)
	}
	all.Go(func() {
		for {
			plain, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { serve(plain) })
		}
	})
	_, port, err = net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

// TestVerifyFull connects with a certificate that is valid for 127.0.0.1 and not for localhost.
func TestVerifyFull(t *testing.T) {
	t.Parallel()
	database, err := url.Parse(engine.Postgres(t))
	require.NoError(t, err)
	issued := httptest.NewTLSServer(nil)
	issued.Close()
	port := serveTLS(t, filepath.Join(database.Query().Get("host"), ".s.PGSQL.5432"), issued.TLS.Certificates[0])
	authority := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issued.Certificate().Raw})
	require.NoError(t, os.WriteFile(authority, text, 0o600))
	address := func(host, root string) string {
		query := url.Values{"sslmode": {"verify-full"}}
		if root != "" {
			query.Set("sslrootcert", root)
		}
		return "postgres://postgres:hush@" + host + ":" + port + database.Path + "?" + query.Encode()
	}
	s := open(t, postgres.Config{URL: address("127.0.0.1", authority)}, true)
	_, err = s.Put(t.Context(), record("a", time.Hour))
	require.NoError(t, err)
	for _, wrong := range []string{address("localhost", authority), address("127.0.0.1", "")} {
		_, err := postgres.Open(t.Context(), postgres.Config{URL: wrong})
		if assert.ErrorContains(t, err, "certificate") {
			assert.NotContains(t, err.Error(), "hush")
		}
	}
}
