//go:build unix

package main

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/stretchr/testify/assert"
)

// forWaiting is a server with a tool that does not come back, and one that does. Started has an
// entry for each call of the first.
func forWaiting(t *testing.T) (address string, started <-chan struct{}) {
	t.Helper()
	calls := make(chan struct{}, 100)
	tools := mcpserver.NewMCPServer("waiting", "1.0")
	tools.AddTool(mcp.NewTool("wait"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		calls <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	tools.AddTool(mcp.NewTool("ping"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText("pong"), nil
	})
	listening := httptest.NewServer(mcpserver.NewStreamableHTTPServer(tools, mcpserver.WithStateLess(true)))
	t.Cleanup(listening.Close)
	return listening.URL + "/mcp", calls
}

func TestCtrlCReturnsToPrompt(t *testing.T) {
	t.Parallel()
	address, started := forWaiting(t)
	terminal := inTerminal(t, address)
	terminal.await("mcp> ")
	for i := range 2 {
		prompts := strings.Count(terminal.text(), "mcp> ")
		terminal.write("call wait\r")
		<-started
		terminal.write("\x03")
		terminal.awaitCount("interrupted", i+1)
		terminal.awaitCount("mcp> ", prompts+1)
	}
	terminal.write("call ping\r")
	terminal.await("pong")
	terminal.write("quit\r")
	assert.Zero(t, terminal.status(), terminal.text())
}

func TestCtrlCEndsProgramWithVerb(t *testing.T) {
	t.Parallel()
	address, started := forWaiting(t)
	terminal := inTerminal(t, address, "call", "wait")
	<-started
	terminal.write("\x03")
	assert.Equal(t, exitUsage, terminal.status(), terminal.text())
	assert.Contains(t, terminal.text(), "mcp-entra-client: interrupted")
}
