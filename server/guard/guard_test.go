package guard_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/guard"
	"mcpentra/server/token"
)

const (
	resource  = "https://mcp.example/mcp"
	challenge = `Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp", scope="user.read"`
	ping      = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// adele is who the token "good" speaks for.
var adele = guard.Identity{
	Principal: guard.Principal{Issuer: "https://login.microsoftonline.com/t/v2.0", TenantID: "t", ObjectID: "o"},
	Name:      "Adele Vance",
	ClientID:  "client",
	Scopes:    []string{"user.read", "other"},
	Issued:    noon,
	Expiry:    noon.Add(time.Hour),
}

func verify(_ context.Context, raw string) (*guard.Identity, error) {
	switch raw {
	case "good", "good==":
		id := adele
		return &id, nil
	case "scopeless":
		id := adele
		id.Scopes = []string{"User.Read", "user.read.all"}
		return &id, nil
	case "unavailable":
		return nil, &token.UnavailableError{RetryAfter: 1500 * time.Millisecond, Err: errors.New("canary")}
	case "broken":
		return nil, errors.New("canary")
	case "nobody":
		return nil, nil
	}
	return nil, &token.InvalidError{Reason: token.Expired}
}

// recorder is the guarded handler: it keeps what reached it.
type recorder struct {
	requests []*http.Request
	bodies   []string
	identity *guard.Identity
	answer   http.HandlerFunc
}

func (h *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.requests, h.bodies = append(h.requests, r), append(h.bodies, string(body))
	h.identity, _ = guard.FromContext(r.Context())
	if h.answer != nil {
		h.answer(w, r)
		return
	}
	_, _ = io.WriteString(w, `{"ok":true}`)
}

func config() guard.Config {
	return guard.Config{
		Resource:             resource,
		AuthorizationServers: []string{"https://mcp.example"},
		Scopes:               []string{"user.read"},
		ResourceName:         "Example",
		Verify:               verify,
		AllowedOrigins:       []string{"https://inspector.example"},
		Now:                  func() time.Time { return noon },
	}
}

func newGuard(t *testing.T, cfg guard.Config, next http.Handler) *guard.Guard {
	t.Helper()
	g, err := guard.New(cfg, next)
	require.NoError(t, err)
	return g
}

// request is a good one; tests change one thing.
func request(method, body string) *http.Request {
	r := httptest.NewRequest(method, resource, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer good")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

func serve(t *testing.T, cfg guard.Config, r *http.Request) (*httptest.ResponseRecorder, *recorder) {
	t.Helper()
	next := &recorder{}
	w := httptest.NewRecorder()
	newGuard(t, cfg, next).ServeHTTP(w, r)
	return w, next
}

func TestAGoodRequestPassesWithItsIdentity(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			w, next := serve(t, config(), request(method, ping))
			require.Equal(t, http.StatusOK, w.Code)
			require.Len(t, next.requests, 1)
			require.NotNil(t, next.identity)
			assert.Equal(t, adele, *next.identity)
			assert.Equal(t, "o", next.identity.ObjectID, "the principal is promoted")
			assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		})
	}
}

func TestABodyIsNotReadForStrangers(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*http.Request){
		"no token":       func(r *http.Request) { r.Header.Del("Authorization") },
		"a bad token":    func(r *http.Request) { r.Header.Set("Authorization", "Bearer bad") },
		"a scope short":  func(r *http.Request) { r.Header.Set("Authorization", "Bearer scopeless") },
		"another host":   func(r *http.Request) { r.Host = "evil.example" },
		"another origin": func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"too long":       func(r *http.Request) { r.ContentLength = guard.DefaultMaxBody + 1 },
		"compressed":     func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request(http.MethodPost, "")
			r.Body = io.NopCloser(readerFunc(func([]byte) (int, error) {
				t.Error("the body was read")
				return 0, io.EOF
			}))
			change(r)
			w, next := serve(t, config(), r)
			assert.GreaterOrEqual(t, w.Code, 400)
			assert.Empty(t, next.requests)
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestABodyHasALimit(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.MaxBody = int64(len(ping))
	w, _ := serve(t, cfg, request(http.MethodPost, ping))
	assert.Equal(t, http.StatusOK, w.Code)
	for name, length := range map[string]int64{"declared": int64(len(ping)) + 1, "chunked": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request(http.MethodPost, ping+" ")
			r.ContentLength = length
			w, next := serve(t, cfg, r)
			assert.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
			assert.Empty(t, next.requests)
		})
	}
}

func TestNothingOfATokenReachesTheLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	cfg := config()
	cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, line := range []string{"Bearer token-canary", "Bearer token-canary, x", "Basic token-canary", "Bearer good"} {
		r := request(http.MethodPost, `{"jsonrpc":"2.0","id":1,"method":"x","Method":"body-canary"}`)
		r.Header.Set("Authorization", line)
		serve(t, cfg, r)
	}
	assert.NotEmpty(t, log.String())
	assert.NotContains(t, log.String(), "canary")
}

func TestAStreamFlushesThroughAndEndsWithItsToken(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Verify = func(context.Context, string) (*guard.Identity, error) {
		id := adele
		id.Expiry = noon.Add(50 * time.Millisecond)
		return &id, nil
	}
	ended := make(chan error, 1)
	g := newGuard(t, cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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

func TestAConfigurationThatCannotWork(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*guard.Config){
		"no resource":                     func(c *guard.Config) { c.Resource = "" },
		"plain http":                      func(c *guard.Config) { c.Resource = "http://mcp.example/mcp" },
		"a slash at the end":              func(c *guard.Config) { c.Resource += "/" },
		"a query":                         func(c *guard.Config) { c.Resource += "?x" },
		"a fragment":                      func(c *guard.Config) { c.Resource += "#x" },
		"a host in capitals":              func(c *guard.Config) { c.Resource = "https://MCP.example/mcp" },
		"a user":                          func(c *guard.Config) { c.Resource = "https://user@mcp.example/mcp" },
		"no verify":                       func(c *guard.Config) { c.Verify = nil },
		"no authorization server":         func(c *guard.Config) { c.AuthorizationServers = nil },
		"an authorization server of http": func(c *guard.Config) { c.AuthorizationServers = []string{"http://as.example"} },
		"a scope with a quote":            func(c *guard.Config) { c.Scopes = []string{`a"b`} },
		"an empty scope":                  func(c *guard.Config) { c.Scopes = []string{""} },
		"offline_access":                  func(c *guard.Config) { c.ScopesSupported = []string{"offline_access"} },
		"every origin":                    func(c *guard.Config) { c.AllowedOrigins = []string{"*"} },
		"an origin with a path":           func(c *guard.Config) { c.AllowedOrigins = []string{"https://a.example/"} },
		"a negative limit":                func(c *guard.Config) { c.MaxBody = -1 },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config()
			change(&cfg)
			_, err := guard.New(cfg, &recorder{})
			require.Error(t, err)
		})
	}
	_, err := guard.New(config(), nil)
	require.Error(t, err)
}
