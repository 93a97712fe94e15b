package console_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/internal/console"
)

// TestConnectEndsEndlessMessages: a message that exceeds the bounds ends with a clear error, before
// it fills the memory.
func TestConnectEndsEndlessMessages(t *testing.T) {
	t.Parallel()
	const chunk = 1 << 20
	line := "data: " + strings.Repeat("x", 1000) + "\n"
	for _, c := range []struct{ name, kind, begin, piece string }{
		{"an answer", "application/json", `{"jsonrpc":"2.0","id":1,"result":{"x":"`, strings.Repeat("x", chunk)},
		{"a line", "text/event-stream", "data: ", strings.Repeat("x", chunk)},
		{"an event of many lines", "text/event-stream", "", strings.Repeat(line, chunk/1000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost {
					w.WriteHeader(http.StatusMethodNotAllowed)
					return
				}
				w.Header().Set("Content-Type", c.kind)
				_, _ = w.Write([]byte(c.begin))
				for r.Context().Err() == nil {
					if _, err := w.Write([]byte(c.piece)); err != nil {
						return
					}
				}
			}))
			defer server.Close()
			_, err := connectTo(t, server.URL, console.Options{})
			require.ErrorContains(t, err, "more than 16 MiB")
			assert.Less(t, len(err.Error()), 300)
		})
	}
}

// TestStreamHasNoTotalBound: the messages of a stream may exceed the bound together.
func TestStreamHasNoTotalBound(t *testing.T) {
	t.Parallel()
	tools := mcpserver.NewMCPServer("chatty", "1.0")
	tools.AddTool(mcp.NewTool("talk"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		message := map[string]any{"level": "info", "data": strings.Repeat("x", 1<<20)}
		for range 20 {
			_ = mcpserver.ServerFromContext(ctx).SendNotificationToClient(ctx, "notifications/message", message)
		}
		return mcp.NewToolResultText("done"), nil
	})
	server := httptest.NewServer(mcpserver.NewStreamableHTTPServer(tools, mcpserver.WithStateLess(true)))
	defer server.Close()
	session, err := connectTo(t, server.URL+"/mcp", console.Options{Revision: "2025-11-25"})
	require.NoError(t, err)
	text, err := session.Call(t.Context(), "talk", "")
	require.NoError(t, err)
	assert.Equal(t, "done", text)
}
