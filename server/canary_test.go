package server_test

import (
	"context"
	"net/http"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcpentra/conformance/engine"
)

// A canary is an MCP handler with one tool that counts its runs, so that checks see what was done, however it was
// answered.
type canary struct {
	http.Handler

	mu   sync.Mutex
	runs map[string]int
}

func newCanary(options ...mcpserver.StreamableHTTPOption) *canary {
	c := &canary{runs: map[string]int{}}
	tools := mcpserver.NewMCPServer("canary", "1", mcpserver.WithToolCapabilities(false), mcpserver.WithLogging())
	tools.AddTool(mcp.NewTool("count", mcp.WithString("marker", mcp.Required())), func(_ context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		marker := call.GetString("marker", "")
		c.mu.Lock()
		defer c.mu.Unlock()
		c.runs[marker]++
		return mcp.NewToolResultText(marker), nil
	})
	c.Handler = mcpserver.NewStreamableHTTPServer(tools, append([]mcpserver.StreamableHTTPOption{mcpserver.WithDisableLocalhostProtection(true)}, options...)...)
	return c
}

// engine is the canary as the checks know it.
func (c *canary) engine() *engine.Canary {
	return &engine.Canary{Tool: "count", Ran: func(marker string) int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.runs[marker]
	}}
}
