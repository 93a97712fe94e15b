package upstream_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gosdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/guard"
	"mcpentra/server/token"
	"mcpentra/server/upstream"
)

const (
	lifetime = 10 * time.Minute
	leeway   = time.Minute
)

// TestAListeningStreamOutlivesItsTokens runs a client and a server of the official Go SDK, with its
// own retries, past the end of three tokens. Each time a notification has to arrive soon after.
func TestAListeningStreamOutlivesItsTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tools := gosdk.NewServer(&gosdk.Implementation{Name: "tools", Version: "1"}, &gosdk.ServerOptions{
			Capabilities: &gosdk.ServerCapabilities{Tools: &gosdk.ToolCapabilities{ListChanged: true}},
		})
		inner := serveInMemory(t, gosdk.NewStreamableHTTPHandler(func(*http.Request) *gosdk.Server { return tools },
			&gosdk.StreamableHTTPOptions{DisableLocalhostProtection: true}))
		var logged bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&logged, nil))
		outer := serveInMemory(t, guarded(t, inner, logger))

		refreshing := &refreshingTransport{next: outer, statuses: map[int]int{}}
		changed := make(chan struct{}, 10)
		program := gosdk.NewClient(&gosdk.Implementation{Name: "program", Version: "1"}, &gosdk.ClientOptions{
			ToolListChangedHandler: func(context.Context, *gosdk.ToolListChangedRequest) { changed <- struct{}{} },
		})
		session, err := program.Connect(t.Context(), &gosdk.StreamableClientTransport{
			Endpoint:   "http://mcp.example/mcp",
			HTTPClient: &http.Client{Transport: refreshing},
		}, nil)
		require.NoError(t, err)
		for n := range 4 {
			<-time.After(lifetime + leeway + time.Minute)
			tool := &gosdk.Tool{Name: fmt.Sprintf("t%d", n), InputSchema: map[string]any{"type": "object"}}
			tools.AddTool(tool, func(context.Context, *gosdk.CallToolRequest) (*gosdk.CallToolResult, error) {
				return nil, nil
			})
			select {
			case <-changed:
			case <-time.After(time.Minute):
				t.Fatalf("no notification after %d tokens; GETs were answered %v", n+1, refreshing.statuses)
			}
		}
		require.NoError(t, session.Close())
		assert.Equal(t, map[int]int{http.StatusOK: 5, http.StatusUnauthorized: 4}, refreshing.statuses)
		assert.NotContains(t, logged.String(), "the upstream")
	})
}

// guarded is a guard that takes tokens of the form "2026-11-28T12.00.00Z", which say when they were
// issued, in front of a proxy for an upstream.
func guarded(t *testing.T, inner http.RoundTripper, logger *slog.Logger) http.Handler {
	t.Helper()
	proxy, err := upstream.New(upstream.Config{
		URL:       "http://inner.example/mcp",
		Issuer:    "https://mcp.example",
		Keys:      signingKeys(),
		Transport: inner,
		Logger:    logger,
	})
	require.NoError(t, err)
	g, err := guard.New(guard.Config{
		Resource:             "https://mcp.example/mcp",
		AuthorizationServers: []string{"https://mcp.example"},
		Logger:               logger,
		Verify: func(_ context.Context, raw string) (*guard.Identity, error) {
			issued, err := time.Parse("2006-01-02T15.04.05Z", raw)
			if err != nil {
				return nil, token.NewInvalidError(token.BadSignature)
			}
			id := adele
			id.Expiry = issued.Add(lifetime)
			id.GoodUntil = id.Expiry.Add(leeway)
			if !time.Now().Before(id.GoodUntil) {
				return nil, token.NewInvalidError(token.Expired)
			}
			return &id, nil
		},
	}, proxy)
	require.NoError(t, err)
	return g
}

// refreshingTransport gets a new token when one is refused as invalid, and counts the answers to
// GETs.
type refreshingTransport struct {
	next     http.RoundTripper
	mu       sync.Mutex
	token    string
	statuses map[int]int
}

func (r *refreshingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := r.send(request, false)
	if err != nil || answer.StatusCode != http.StatusUnauthorized {
		return answer, err
	}
	_ = answer.Body.Close()
	if !strings.Contains(answer.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		return nil, fmt.Errorf("a challenge that says nothing of the token: %v", answer.Header)
	}
	return r.send(request, true)
}

func (r *refreshingTransport) send(request *http.Request, refresh bool) (*http.Response, error) {
	sent := request.Clone(request.Context())
	if request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return nil, err
		}
		sent.Body = body
	}
	r.mu.Lock()
	if refresh || r.token == "" {
		r.token = time.Now().UTC().Format("2006-01-02T15.04.05Z")
	}
	sent.Header.Set("Authorization", "Bearer "+r.token)
	r.mu.Unlock()
	answer, err := r.next.RoundTrip(sent)
	if err == nil && request.Method == http.MethodGet {
		r.mu.Lock()
		r.statuses[answer.StatusCode]++
		r.mu.Unlock()
	}
	return answer, err
}

// serveInMemory serves a handler without sockets, so that its time can be that of the test, and
// returns the way to it.
func serveInMemory(t *testing.T, handler http.Handler) *http.Transport {
	t.Helper()
	listener := &memoryListener{accepted: make(chan net.Conn), closed: make(chan struct{})}
	httpServer := &http.Server{Handler: handler}
	ended := make(chan error, 1)
	go func() { ended <- httpServer.Serve(listener) }()
	transport := &http.Transport{DialContext: listener.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = httpServer.Close()
		<-ended
	})
	return transport
}

type memoryListener struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func (l *memoryListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.accepted <- theirs:
		return ours, nil
	case <-l.closed:
	case <-ctx.Done():
	}
	return nil, net.ErrClosed
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case connection := <-l.accepted:
		return connection, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memoryListener) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }
