package server_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcpentra/conformance/servers"
)

// A canary is an MCP handler with one tool that counts its runs. Checks see from it what ran,
// whatever the answer says.
type canary struct {
	http.Handler

	mu        sync.Mutex
	runs      map[string]int
	forwarded []servers.Forwarded // the latest requests that passed the guard
}

// maxForwarded is the number of requests that a canary remembers.
const maxForwarded = 10_000

func newCanary(options ...mcpserver.StreamableHTTPOption) *canary {
	c := &canary{runs: map[string]int{}}
	tools := mcpserver.NewMCPServer("canary", "1", mcpserver.WithToolCapabilities(false), mcpserver.WithLogging())
	tools.AddTool(
		mcp.NewTool("count", mcp.WithString("marker", mcp.Required())),
		func(_ context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			marker := call.GetString("marker", "")
			c.mu.Lock()
			defer c.mu.Unlock()
			c.runs[marker]++
			return mcp.NewToolResultText(marker), nil
		},
	)
	c.Handler = mcpserver.NewStreamableHTTPServer(
		tools,
		append([]mcpserver.StreamableHTTPOption{mcpserver.WithDisableLocalhostProtection(true)}, options...)...,
	)
	c.Handler = c.remember(c.Handler)
	return c
}

// remember records the requests of a handler.
func (c *canary) remember(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 8<<20))
		if err != nil {
			http.Error(w, "too long, or too slow", http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		c.mu.Lock()
		c.forwarded = append(c.forwarded, servers.Forwarded{URL: r.URL.String(), Header: r.Header.Clone(), Body: body})
		c.forwarded = c.forwarded[max(0, len(c.forwarded)-maxForwarded):]
		c.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// requests returns the latest requests of the handler.
func (c *canary) requests() []servers.Forwarded {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.forwarded)
}

// tool returns the canary in the form that the checks use.
func (c *canary) tool() *servers.Canary {
	return &servers.Canary{
		Tool: "count",
		Ran: func(marker string) int {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.runs[marker]
		},
	}
}
