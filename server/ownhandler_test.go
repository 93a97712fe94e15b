package server_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/fakeentra"
	"mcpentra/server"
	"mcpentra/server/entra"
	"mcpentra/server/guard"
)

// TestREADMEExample runs the README's example against the fake, with only the settings that the
// fake writes.
func TestREADMEExample(t *testing.T) {
	t.Parallel()
	fake := fakeentra.NewServer(fakeentra.Config{})
	defer fake.Close()
	tenant := fake.Tenant()
	listening := httptest.NewUnstartedServer(nil)
	origin := localhostOf(listening)
	var log strings.Builder
	mcp, err := server.New(t.Context(), server.Config{
		PublicURL: origin,
		Entra: entra.Config{
			Authority:    fake.URL,
			TenantID:     tenant.ID,
			ClientID:     tenant.Apps[0].ID,
			ClientSecret: tenant.Apps[0].Secrets[0],
		},
		MCP:    http.HandlerFunc(hello),
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.NoError(t, err)
	require.NoError(t, mcp.Check(t.Context()))
	listening.Config.Handler = mcp
	listening.Start()
	defer listening.Close()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	signedIn, err := client.New(client.Config{Server: origin + "/mcp", Base: base, Browser: visit})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, origin+"/mcp",
		strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Mcp-Protocol-Version", "2025-11-25")
	response, err := signedIn.RoundTrip(r)
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusOK, response.StatusCode)
	listening.Close() // so that nothing writes to the log any more
	assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())

	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	assert.Contains(t, string(readme), `os.Getenv("AUTH_AUTHORITY")`)
}

// TestHandlerChangesOnlyItsCaller: the broker keeps the caller of a token, and later requests with
// the token get it.
func TestHandlerChangesOnlyItsCaller(t *testing.T) {
	t.Parallel()
	s := newEnv(t, func(config *server.Config) {
		config.MCP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			caller, _ := guard.FromContext(r.Context())
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":{"name":%q}}`, caller.Name)
			caller.Name = "changed"
		})
	})
	_, tokens := s.signIn()
	access, _ := tokens["access_token"].(string)
	for range 2 {
		status, _, body := s.call(access, `{"jsonrpc":"2.0","id":1,"method":"ping"}`)
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, body, "Adele Vance")
	}
}
