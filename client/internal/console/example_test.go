package console_test

import (
	"context"
	"log"
	"net/http/httptest"
	"os"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcpentra/client"
	"mcpentra/client/internal/console"
)

// Example lists the tools of a server, and calls one of them.
func Example() {
	tools := mcpserver.NewMCPServer("greeter", "1.0")
	tools.AddTool(mcp.NewTool("greet", mcp.WithDescription("Says hello.")),
		func(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText("Hello, " + request.GetString("name", "friend")), nil
		})
	listening := httptest.NewServer(mcpserver.NewStreamableHTTPServer(tools, mcpserver.WithStateLess(true)))
	defer listening.Close()
	ctx := context.Background()

	under, err := client.New(client.Config{Server: listening.URL + "/mcp"})
	if err != nil {
		log.Fatal(err)
	}
	session, err := console.Connect(ctx, listening.URL+"/mcp", under, console.Options{Version: "1.0"})
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	if err := console.List(ctx, session, os.Stdout); err != nil {
		log.Fatal(err)
	}
	if err := console.Call(ctx, session, "greet", `{"name": "Adele"}`, os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1. greet
	//    Says hello.
	// Hello, Adele
}
