// Gosdk is a client of the official Go SDK with its own OAuth handlers.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/auth/extauth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"goclients/task"
)

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
	handler, err := newHandler(given)
	if err != nil {
		return err
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "gosdk", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: server, OAuthHandler: handler}, nil)
	if err != nil {
		return err
	}
	defer session.Close()
	tools, err := session.ListTools(ctx, nil)
	if err != nil {
		return err
	}
	if len(tools.Tools) == 0 {
		return errors.New("want a tool, got none")
	}
	var failed error
	for range given.Calls {
		_, err := session.CallTool(ctx, &mcp.CallToolParams{Name: task.Tool, Arguments: map[string]any{}})
		failed = errors.Join(failed, err)
	}
	return failed
}

// newHandler returns the handler of the grant that the task asks for.
func newHandler(given task.Context) (auth.OAuthHandler, error) {
	var registered *oauthex.ClientCredentials
	if given.ClientID != "" {
		registered = &oauthex.ClientCredentials{ClientID: given.ClientID, Issuer: given.Issuer}
	}
	if given.ClientSecret != "" {
		registered.ClientSecretAuth = &oauthex.ClientSecretAuth{ClientSecret: given.ClientSecret}
	}
	if given.GrantType == "client_credentials" {
		return extauth.NewClientCredentialsHandler(&extauth.ClientCredentialsHandlerConfig{Credentials: registered})
	}
	return auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		RedirectURL:                    task.RedirectURI,
		AuthorizationCodeFetcher:       fetchCode,
		PreregisteredClient:            registered,
		ClientIDMetadataDocumentConfig: &auth.ClientIDMetadataDocumentConfig{URL: task.DocumentURL},
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{
			Metadata: &oauthex.ClientRegistrationMetadata{
				ClientName:    "gosdk",
				RedirectURIs:  []string{task.RedirectURI},
				GrantTypes:    []string{"authorization_code", "refresh_token"},
				ResponseTypes: []string{"code"},
			},
		},
		RequestRefreshToken: true,
	})
}

func fetchCode(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	params, err := task.Visit(ctx, args.URL)
	if err != nil {
		return nil, fmt.Errorf("the sign-in failed: %w", err)
	}
	return &auth.AuthorizationResult{
		Code:  params.Get("code"),
		State: params.Get("state"),
		Iss:   params.Get("iss"),
	}, nil
}
