// Gosdk is an MCP server on the Go SDK, with the SDK's middleware and go-oidc as verifier.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	issuer := os.Getenv("ISSUER")
	origin := "http://" + listener.Addr().String()
	provider, err := oidc.NewProvider(context.Background(), issuer)
	if err != nil {
		log.Fatal(err)
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: origin + "/mcp", SupportedSigningAlgs: []string{"ES256"}})
	verify := func(ctx context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		good, err := verifier.Verify(ctx, token)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", auth.ErrInvalidToken, err)
		}
		var claims struct {
			Scope string `json:"scope"`
		}
		if err := good.Claims(&claims); err != nil {
			return nil, fmt.Errorf("%w: %w", auth.ErrInvalidToken, err)
		}
		return &auth.TokenInfo{
			Scopes:     strings.Fields(claims.Scope),
			Expiration: good.Expiry,
			UserID:     good.Subject,
		}, nil
	}
	server := mcp.NewServer(&mcp.Implementation{Name: "gosdk", Version: "1"}, nil)
	type none struct{}
	whoami := func(_ context.Context, request *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, any, error) {
		text := request.Extra.TokenInfo.UserID
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
	}
	mcp.AddTool(server, &mcp.Tool{Name: "whoami", Description: "Names the caller"}, whoami)
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
	const wellKnown = "/.well-known/oauth-protected-resource/mcp"
	authorized := auth.RequireBearerToken(verify, &auth.RequireBearerTokenOptions{
		ResourceMetadataURL: origin + wellKnown,
		Scopes:              []string{"mcp:tools"},
	})
	http.Handle("/mcp", authorized(handler))
	http.Handle(wellKnown, auth.ProtectedResourceMetadataHandler(&oauthex.ProtectedResourceMetadata{
		Resource:             origin + "/mcp",
		AuthorizationServers: []string{issuer},
		ScopesSupported:      []string{"mcp:tools"},
	}))
	fmt.Println("listening on " + origin + "/mcp")
	limited := &http.Server{ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(limited.Serve(listener))
}
