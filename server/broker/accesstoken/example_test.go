package accesstoken_test

import (
	"fmt"
	"net/http"

	"mcpentra/server/broker/accesstoken"
	"mcpentra/server/guard"
)

// Example puts a guard in front of a server whose tokens come from a broker elsewhere.
func Example() {
	const resource = "https://files.example.com/mcp"
	tokens, err := accesstoken.New(accesstoken.Config{Issuer: "https://mcp.example.com", Resource: resource})
	if err != nil {
		fmt.Println(err)
		return
	}
	files := http.NotFoundHandler() // your MCP server
	protected, err := guard.New(guard.Config{
		Resource:             resource,
		AuthorizationServers: []string{"https://mcp.example.com"},
		Scopes:               []string{"files.read"},
		Verify:               tokens.Verify,
	}, files)
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp", protected)
	mux.Handle(protected.MetadataPath(), protected.Metadata())
	fmt.Println(protected.MetadataPath())
	// Output: /.well-known/oauth-protected-resource/mcp
}
