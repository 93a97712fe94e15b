package upstream_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	gosdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	lifetime = 10 * time.Minute
	leeway   = time.Minute
)

// TestListeningStreamOutlivesItsTokens runs a client and a server of the official Go SDK, with its
// own retries, past the end of three tokens. Each time a notification has to arrive soon after.
func TestListeningStreamOutlivesItsTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tools := gosdk.NewServer(&gosdk.Implementation{Name: "tools", Version: "1"}, &gosdk.ServerOptions{
			Capabilities: &gosdk.ServerCapabilities{Tools: &gosdk.ToolCapabilities{ListChanged: true}},
		})
		inner := serveInMemory(t, gosdk.NewStreamableHTTPHandler(func(*http.Request) *gosdk.Server { return tools },
			&gosdk.StreamableHTTPOptions{DisableLocalhostProtection: true}))
		var logged bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&logged, nil))
		outer := serveInMemory(t, newExpiringGuard(t, inner, logger))

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
