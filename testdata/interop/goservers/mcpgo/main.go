// Mcpgo is an MCP server on mcp-go behind auth0's middleware for JWTs.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	jwtmiddleware "github.com/auth0/go-jwt-middleware/v2"
	"github.com/auth0/go-jwt-middleware/v2/jwks"
	"github.com/auth0/go-jwt-middleware/v2/validator"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// A scoped has the scope of a token.
type scoped struct {
	Scope string `json:"scope"`
}

// Validate wants the scope of the server.
func (s *scoped) Validate(context.Context) error {
	if !slices.Contains(strings.Fields(s.Scope), "mcp:tools") {
		return fmt.Errorf("want the scope mcp:tools, got %q", s.Scope)
	}
	return nil
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	issuer, err := url.Parse(os.Getenv("ISSUER"))
	if err != nil {
		log.Fatal(err)
	}
	origin := "http://" + listener.Addr().String()
	keys := jwks.NewCachingProvider(issuer, 5*time.Minute)
	valid, err := validator.New(
		keys.KeyFunc,
		validator.ES256,
		issuer.String(),
		[]string{origin + "/mcp"},
		validator.WithCustomClaims(func() validator.CustomClaims { return &scoped{} }),
	)
	if err != nil {
		log.Fatal(err)
	}
	tools := server.NewMCPServer("mcpgo", "1", server.WithToolCapabilities(false))
	whoami := func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		claims := ctx.Value(jwtmiddleware.ContextKey{}).(*validator.ValidatedClaims)
		return mcp.NewToolResultText(claims.RegisteredClaims.Subject), nil
	}
	tools.AddTool(mcp.NewTool("whoami", mcp.WithDescription("Names the caller")), whoami)
	const wellKnown = "/.well-known/oauth-protected-resource/mcp"
	refuse := func(w http.ResponseWriter, _ *http.Request, err error) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer resource_metadata=%q", origin+wellKnown))
		http.Error(w, "a good token is required", http.StatusUnauthorized)
	}
	guard := jwtmiddleware.New(valid.ValidateToken, jwtmiddleware.WithErrorHandler(refuse))
	http.Handle("/mcp", guard.CheckJWT(server.NewStreamableHTTPServer(tools)))
	http.HandleFunc("GET "+wellKnown, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"resource":                 origin + "/mcp",
			"authorization_servers":    []string{issuer.String()},
			"scopes_supported":         []string{"mcp:tools"},
			"bearer_methods_supported": []string{"header"},
		})
	})
	fmt.Println("listening on " + origin + "/mcp")
	limited := &http.Server{ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(limited.Serve(listener))
}
