package main_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/rogpeppe/go-internal/testscript"

	"mcpentra/server/broker/accesstoken"
	"mcpentra/server/guard"
)

// presentedToken is the key under which the context of a call has its token.
type presentedToken struct{}

// serveFiles runs `files PORT ISSUER`: an MCP server with a guard of its own listens there until
// the script ends. It accepts the tokens that the broker ISSUER issues for it, with the scope
// files.read. Its tool ask names its caller and the broker's statement about the token. It
// introspects as the client files, whose secret is in the file secret, and writes the token to the
// file token.
func serveFiles(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: files PORT ISSUER")
	}
	resource := "http://127.0.0.1:" + args[0] + "/mcp"
	tokens, err := accesstoken.New(accesstoken.Config{Issuer: args[1], Resource: resource})
	ts.Check(err)
	secret := strings.TrimSpace(ts.ReadFile("secret"))
	tools := mcpserver.NewMCPServer("files", "1")
	tools.AddTool(mcp.NewTool("ask"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		caller, _ := guard.FromContext(ctx)
		presented, _ := ctx.Value(presentedToken{}).(string)
		told, err := introspect(ctx, args[1], secret, presented)
		if err != nil {
			return nil, err
		}
		err = os.WriteFile(ts.MkAbs("token"), []byte(presented), 0o600)
		return mcp.NewToolResultText(fmt.Sprintf("%s has %s: %s", caller.Name, caller.Scopes, told)), err
	})
	protected, err := guard.New(guard.Config{
		Resource:             resource,
		AuthorizationServers: []string{args[1]},
		Scopes:               []string{"files.read"},
		ScopesSupported:      []string{"files.read", "files.write"},
		ResourceName:         "Files",
		Verify:               tokens.Verify,
		TokenKey:             presentedToken{},
	}, mcpserver.NewStreamableHTTPServer(tools, mcpserver.WithStateLess(true)))
	ts.Check(err)
	mux := http.NewServeMux()
	mux.Handle("/mcp", protected)
	mux.Handle(protected.MetadataPath(), protected.Metadata())
	serveUntilEnd(ts, args[0], mux)
}

// introspect returns what the broker says about a token (RFC 7662).
func introspect(ctx context.Context, issuer, secret, presented string) (string, error) {
	form := strings.NewReader(url.Values{"token": {presented}}.Encode())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, issuer+"/introspect", form)
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("files", secret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// serveUntilEnd serves a handler on a port of loopback until the script ends.
func serveUntilEnd(ts *testscript.TestScript, port string, handler http.Handler) {
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	ts.Check(err)
	httpServer := &http.Server{Handler: handler}
	ended := make(chan error, 1)
	go func() { ended <- httpServer.Serve(listener) }()
	ts.Defer(func() {
		_ = httpServer.Close()
		<-ended
	})
}
