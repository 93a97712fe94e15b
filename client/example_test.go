package client_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"strings"

	mcpclient "github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"

	"mcpentra/client"
	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

// Example puts the transport under plain net/http. The first request is refused; the transport
// signs in and sends it again.
func Example() {
	serverURL, person, stop := protectedServer()
	defer stop()
	ctx := context.Background()

	under, err := client.New(client.Config{
		Server:  serverURL, // such as https://mcp.example.com/mcp
		Browser: person,    // leave it out for the system's browser
		Trace: func(event client.Event) {
			switch event := event.(type) {
			case client.Challenged:
				fmt.Println("refused with", event.Status)
			case client.Issued:
				fmt.Println("signed in for", event.Scopes)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	ping := strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, serverURL, ping)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	request.Header.Set("MCP-Protocol-Version", "2025-11-25")
	response, err := (&http.Client{Transport: under}).Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
	// Output:
	// refused with 401
	// signed in for [user.read]
	// 200 OK
}

// Example_mcpGo puts the transport under mcp-go's Streamable HTTP transport.
func Example_mcpGo() {
	serverURL, person, stop := protectedServer()
	defer stop()
	ctx := context.Background()

	under, err := client.New(client.Config{Server: serverURL, Browser: person})
	if err != nil {
		log.Fatal(err)
	}
	wire, err := transport.NewStreamableHTTP(serverURL, transport.WithHTTPBasicClient(&http.Client{Transport: under}))
	if err != nil {
		log.Fatal(err)
	}
	// A person takes longer to sign in than the five seconds that the library gives its first
	// request.
	caller := mcpclient.NewClient(wire, mcpclient.WithDiscoverTimeout(-1))
	defer caller.Close()
	if err := caller.Start(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := caller.Initialize(ctx, mcp.InitializeRequest{}); err != nil {
		log.Fatal(err)
	}
	result, err := caller.CallTool(ctx, mcp.CallToolRequest{Params: mcp.CallToolParams{Name: "get_user_name"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(mcp.GetTextFromContent(result.Content[0]))
	// Output:
	// User name is Adele Vance
}

// newNightly makes a Transport for a job that runs every night: a client of its own, with a key,
// and no person.
func newNightly(folder string, key *tokenrequest.Key) (*client.Transport, error) {
	tokens, err := tokenstore.OpenFile(folder, tokenstore.SystemKeychain())
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{
		Server:     "https://mcp.example.com/mcp",
		ClientID:   "nightly",
		ClientKey:  key,
		Unattended: client.ClientCredentials{}, // or client.Workload, or client.Enterprise
		Tokens:     tokens,
	})
}

var _ = newNightly // it is shown in the readme, and compiled here

// Example_unattended gets tokens with the identity that a platform gives its workloads.
func Example_unattended() {
	under, err := client.New(client.Config{
		Server: "https://mcp.example.com/mcp",
		Unattended: client.Workload{
			Assertion: func(context.Context) (string, error) { return "the contents of the platform's file", nil },
		},
	})
	fmt.Println(under != nil, err)
	// Output:
	// true <nil>
}
