package guard_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/guard"
	"mcpentra/server/identity"
)

func TestGoodRequestReachesHandler(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			w, next := serve(t, baseConfig(), request(method, ping))
			require.Equal(t, http.StatusOK, w.Code)
			require.Len(t, next.requests, 1)
			require.NotNil(t, next.identity)
			assert.Equal(t, adele, *next.identity)
			assert.Equal(t, "o", next.identity.ObjectID, "the principal is promoted")
			assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		})
	}
}

func TestBodyIsNotReadBeforeItsGate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*http.Request)
	}{
		{"no token", func(r *http.Request) { r.Header.Del("Authorization") }},
		{"bad token", func(r *http.Request) { r.Header.Set("Authorization", "Bearer bad") }},
		{"scope short", func(r *http.Request) { r.Header.Set("Authorization", "Bearer scopeless") }},
		{"another host", func(r *http.Request) { r.Host = "evil.example" }},
		{"another origin", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }},
		{"too long", func(r *http.Request) { r.ContentLength = guard.DefaultMaxBody + 1 }},
		{"compressed", func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := request(http.MethodPost, "")
			r.Body = io.NopCloser(readerFunc(func([]byte) (int, error) {
				t.Error("the body was read")
				return 0, io.EOF
			}))
			test.change(r)
			w, next := serve(t, baseConfig(), r)
			assert.GreaterOrEqual(t, w.Code, 400)
			assert.Empty(t, next.requests)
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestBodySizeIsLimited(t *testing.T) {
	t.Parallel()
	config := baseConfig()
	config.MaxBody = int64(len(ping))
	w, _ := serve(t, config, request(http.MethodPost, ping))
	assert.Equal(t, http.StatusOK, w.Code)
	for name, length := range map[string]int64{"declared": int64(len(ping)) + 1, "chunked": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request(http.MethodPost, ping+" ")
			r.ContentLength = length
			w, next := serve(t, config, r)
			assert.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
			assert.Empty(t, next.requests)
		})
	}
}

func TestLogHasNoToken(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	config := baseConfig()
	config.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, line := range []string{
		"Bearer token-canary",
		"Bearer token-canary, x",
		"Basic token-canary",
		"Bearer good",
	} {
		r := request(http.MethodPost, `{"jsonrpc":"2.0","id":1,"method":"x","Method":"body-canary"}`)
		r.Header.Set("Authorization", line)
		serve(t, config, r)
	}
	assert.NotEmpty(t, log.String())
	assert.NotContains(t, log.String(), "canary")
}

func TestStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	config := baseConfig()
	config.Verify = func(context.Context, string) (*identity.Caller, error) {
		id := adele
		id.Expiry = noon.Add(50 * time.Millisecond)
		return &id, nil
	}
	ended := make(chan error, 1)
	g := newGuard(t, config, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		ended <- r.Context().Err()
	}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = "mcp.example"
		g.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	for name, r := range map[string]*http.Request{
		"GET":                  request(http.MethodGet, ""),
		"subscriptions/listen": request(http.MethodPost, `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"}`),
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), r.Method, server.URL, r.Body)
			require.NoError(t, err)
			r.Header.Set("Authorization", "Bearer good")
			r.Header.Set("Content-Type", "application/json")
			resp, err := server.Client().Do(r)
			require.NoError(t, err)
			defer resp.Body.Close()
			first := make([]byte, 9)
			_, err = io.ReadFull(resp.Body, first)
			require.NoError(t, err)
			assert.Equal(t, "data: 1\n\n", string(first))
			assert.ErrorIs(t, <-ended, context.DeadlineExceeded)
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*guard.Config)
	}{
		{"no resource", func(c *guard.Config) { c.Resource = "" }},
		{"plain http", func(c *guard.Config) { c.Resource = "http://mcp.example/mcp" }},
		{"slash at the end", func(c *guard.Config) { c.Resource += "/" }},
		{"query", func(c *guard.Config) { c.Resource += "?x" }},
		{"fragment", func(c *guard.Config) { c.Resource += "#x" }},
		{"host in capitals", func(c *guard.Config) { c.Resource = "https://MCP.example/mcp" }},
		{"user", func(c *guard.Config) { c.Resource = "https://user@mcp.example/mcp" }},
		{"no verify", func(c *guard.Config) { c.Verify = nil }},
		{"no authorization server", func(c *guard.Config) { c.AuthorizationServers = nil }},
		{"issuer of http", func(c *guard.Config) { c.AuthorizationServers = []string{"http://as.example"} }},
		{"scope with a quote", func(c *guard.Config) { c.Scopes = []string{`a"b`} }},
		{"empty scope", func(c *guard.Config) { c.Scopes = []string{""} }},
		{"offline_access", func(c *guard.Config) { c.ScopesSupported = []string{"offline_access"} }},
		{"every origin", func(c *guard.Config) { c.AllowedOrigins = []string{"*"} }},
		{"origin with a path", func(c *guard.Config) { c.AllowedOrigins = []string{"https://a.example/"} }},
		{"negative limit", func(c *guard.Config) { c.MaxBody = -1 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			config := baseConfig()
			test.change(&config)
			_, err := guard.New(config, &recorder{})
			require.Error(t, err)
		})
	}
	_, err := guard.New(baseConfig(), nil)
	require.Error(t, err)
}
