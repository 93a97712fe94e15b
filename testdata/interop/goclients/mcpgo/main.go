// Mcpgo is a client of mcp-go with its OAuth transport. It signs in as the project's example does.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

	"goclients/task"
)

// maxSignIns bounds the sign-ins for one request.
const maxSignIns = 2

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	server, given, err := task.Read()
	if err != nil {
		return err
	}
	mcpClient, err := client.NewOAuthStreamableHttpClient(server, client.OAuthConfig{
		ClientID:     given.ClientID,
		ClientSecret: given.ClientSecret,
		RedirectURI:  task.RedirectURI,
		PKCEEnabled:  true,
	})
	if err != nil {
		return err
	}
	defer mcpClient.Close()
	initialize := mcp.InitializeRequest{}
	initialize.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	initialize.Params.ClientInfo = mcp.Implementation{Name: "mcpgo", Version: "1"}
	steps := []func() error{
		func() error { return mcpClient.Start(ctx) },
		func() error { _, err := mcpClient.Initialize(ctx, initialize); return err },
		func() error { _, err := mcpClient.ListTools(ctx, mcp.ListToolsRequest{}); return err },
	}
	for _, step := range steps {
		if err := signedIn(ctx, step); err != nil {
			return err
		}
	}
	call := mcp.CallToolRequest{}
	call.Params.Name = task.Tool
	call.Params.Arguments = map[string]any{}
	var failed error
	for range given.Calls {
		err := signedIn(ctx, func() error { _, err := mcpClient.CallTool(ctx, call); return err })
		failed = errors.Join(failed, err)
	}
	return failed
}

// signedIn sends a request, and again after each sign-in that it needs.
func signedIn(ctx context.Context, send func() error) error {
	err := send()
	for range maxSignIns {
		if !client.IsOAuthAuthorizationRequiredError(err) {
			return err
		}
		if failed := signIn(ctx, err); failed != nil {
			return fmt.Errorf("the sign-in failed: %w", failed)
		}
		err = send()
	}
	return err
}

// signIn gets a token for the handler of an error.
func signIn(ctx context.Context, required error) error {
	handler := client.GetOAuthHandler(required)
	verifier, err := client.GenerateCodeVerifier()
	if err != nil {
		return err
	}
	state, err := client.GenerateState()
	if err != nil {
		return err
	}
	if handler.GetClientID() == "" {
		if err := handler.RegisterClient(ctx, "mcpgo"); err != nil {
			return err
		}
	}
	page, err := handler.GetAuthorizationURL(ctx, state, client.GenerateCodeChallenge(verifier))
	if err != nil {
		return err
	}
	params, err := task.Visit(ctx, page)
	if err != nil {
		return err
	}
	return handler.ProcessAuthorizationResponse(ctx, params.Get("code"), params.Get("state"), verifier)
}
