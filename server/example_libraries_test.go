package server_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"

	gosdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcpentra/fakeentra"
	"mcpentra/server"
	"mcpentra/server/broker"
	"mcpentra/server/entra"
	"mcpentra/server/guard"
)

// Example_mcpGo serves a tool that is written with mcp-go.
func Example_mcpGo() {
	tools := mcpserver.NewMCPServer("hello", "1")
	tools.AddTool(mcp.NewTool("hello"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		caller, _ := guard.FromContext(ctx)
		return mcp.NewToolResultText("hello " + caller.Name), nil
	})
	var config server.Config // with your registration
	config.MCP = mcpserver.NewStreamableHTTPServer(
		tools,
		mcpserver.WithStateLess(true), // or WithStateful(true), and config.Stateful
		mcpserver.WithDisableStreaming(true),
		mcpserver.WithDisableLocalhostProtection(true), // the guard checks Host, against the public URL
	)

	fmt.Println(sayHello(config))
	// Output: hello Adele Vance
}

// Example_goSDK serves a tool that is written with the official Go SDK.
func Example_goSDK() {
	tools := gosdk.NewServer(&gosdk.Implementation{Name: "hello", Version: "1"}, nil)
	gosdk.AddTool(
		tools,
		&gosdk.Tool{Name: "hello"},
		func(ctx context.Context, _ *gosdk.CallToolRequest, _ struct{}) (*gosdk.CallToolResult, any, error) {
			caller, _ := guard.FromContext(ctx)
			return &gosdk.CallToolResult{
				Content: []gosdk.Content{&gosdk.TextContent{Text: "hello " + caller.Name}},
			}, nil, nil
		},
	)
	var config server.Config // with your registration
	config.MCP = gosdk.NewStreamableHTTPHandler(
		func(*http.Request) *gosdk.Server { return tools },
		&gosdk.StreamableHTTPOptions{
			Stateless:                  true,
			DisableLocalhostProtection: true, // the guard checks Host, against the public URL
		},
	)

	fmt.Println(sayHello(config))
	// Output: hello Adele Vance
}

// Example_directMode takes Entra's own access tokens, of two tenants.
func Example_directMode() {
	var tenantID, partnerTenantID, apiID string // from your configuration

	mcp, err := server.New(context.Background(), server.Config{
		PublicURL: "https://mcp.example.com",
		Entra:     entra.Config{TenantID: tenantID, ClientID: apiID},
		Direct:    &server.Direct{Tenants: []string{partnerTenantID}},
		Scopes:    []broker.Scope{{Name: "tool.read"}},
		MCP:       http.HandlerFunc(hello),
	})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("localhost:8000", mcp))
}

// sayHello calls the tool hello of a server as Adele, whose token comes of a fake.
func sayHello(config server.Config) string {
	fake, err := fakeentra.New(fakeentra.Config{})
	if err != nil {
		log.Fatal(err)
	}
	tenant := fake.Tenant()
	config.PublicURL = "http://localhost:8000"
	config.Entra = entra.Config{
		TenantID:            tenant.ID,
		ClientID:            tenant.Apps[1].ID,
		HTTPClient:          fake.Client(),
		TrustPublicFakeKeys: true,
	}
	config.Direct = &server.Direct{}
	config.Scopes = []broker.Scope{{Name: "tool.read"}}
	made, err := server.New(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	token, err := fake.Mint(fakeentra.Token{})
	if err != nil {
		log.Fatal(err)
	}
	r := httptest.NewRequest(
		http.MethodPost,
		made.Resource(),
		strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"hello","arguments":{}}}`),
	)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Mcp-Protocol-Version", "2025-11-25")
	answer := httptest.NewRecorder()
	made.ServeHTTP(answer, r)
	match := regexp.MustCompile(`"text":"([^"]*)"`).FindStringSubmatch(answer.Body.String())
	if match == nil {
		return fmt.Sprint(answer.Code, " ", answer.Body)
	}
	return match[1]
}
