package client_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	mcpclient "github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/modelcontextprotocol/go-sdk/auth"
	gomcp "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/internal/console"
	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// These tests sign in at servers that other libraries protect. Of this repository, the servers use
// only the fake, which issues the Go SDK's tokens.

// signingIn returns a Transport for a server, and its events.
func signingIn(t *testing.T, serverURL string) (*client.Transport, *[]client.Event) {
	t.Helper()
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	events := &[]client.Event{}
	var mu sync.Mutex
	under, err := client.New(client.Config{
		Server:  serverURL,
		Base:    base,
		Browser: approving,
		Trace: func(event client.Event) {
			mu.Lock()
			defer mu.Unlock()
			*events = append(*events, event)
		},
	})
	require.NoError(t, err)
	return under, events
}

// called signs in at a server and calls a tool, through Streamable HTTP or the transport of
// 2024-11-05. It returns the tool's answer.
func called(t *testing.T, serverURL, tool string, options console.Options) string {
	t.Helper()
	under, events := signingIn(t, serverURL)
	defer func() {
		signIns := 0
		for _, event := range *events {
			if _, ok := event.(client.PageReady); ok {
				signIns++
			}
		}
		assert.Equal(t, 1, signIns, "the person signs in once")
	}()
	if !strings.HasSuffix(serverURL, "/sse") {
		session, err := console.Connect(t.Context(), serverURL, under, options)
		require.NoError(t, err)
		defer session.Close()
		tools, err := session.Tools(t.Context())
		require.NoError(t, err)
		require.Len(t, tools, 1)
		assert.Equal(t, tool, tools[0].Name)
		answer, err := session.Call(t.Context(), tool, "")
		require.NoError(t, err)
		return answer
	}
	sse, err := transport.NewSSE(serverURL, transport.WithHTTPClient(&http.Client{Transport: under}))
	require.NoError(t, err)
	session := mcpclient.NewClient(sse)
	require.NoError(t, session.Start(t.Context()))
	defer session.Close()
	_, err = session.Initialize(t.Context(), mcp.InitializeRequest{Params: mcp.InitializeParams{
		ProtocolVersion: "2024-11-05",
		ClientInfo:      mcp.Implementation{Name: "test", Version: "1"},
	}})
	require.NoError(t, err)
	result, err := session.CallTool(t.Context(), mcp.CallToolRequest{Params: mcp.CallToolParams{Name: tool}})
	require.NoError(t, err)
	require.Len(t, result.Content, 1)
	return result.Content[0].(mcp.TextContent).Text
}

// goSDK starts a server on the official Go SDK behind the SDK's own middleware. The fake is its
// authorization server. Its tool names the caller.
func goSDK(t *testing.T, path string, handler func(func(*http.Request) *gomcp.Server) http.Handler) string {
	t.Helper()
	fake := fakeentra.NewServer(fakeentra.Config{Face: fakeentra.SpecAlignedFace, AutoSignIn: true})
	t.Cleanup(fake.Close)
	issuer := fake.URL + "/" + directory.DefaultTenantID + "/v2.0"
	ctx := oidc.ClientContext(context.WithoutCancel(t.Context()), fake.Client())
	provider, err := oidc.NewProvider(ctx, issuer)
	require.NoError(t, err)
	tokens := provider.Verifier(&oidc.Config{ClientID: directory.DefaultAPIID})
	verify := func(ctx context.Context, raw string, _ *http.Request) (*auth.TokenInfo, error) {
		token, err := tokens.Verify(ctx, raw)
		if err != nil {
			return nil, auth.ErrInvalidToken
		}
		var claims struct {
			OID    string `json:"oid"`
			Scopes string `json:"scp"`
		}
		err = token.Claims(&claims)
		return &auth.TokenInfo{UserID: claims.OID, Scopes: strings.Fields(claims.Scopes), Expiration: token.Expiry}, err
	}
	server := gomcp.NewServer(&gomcp.Implementation{Name: "go", Version: "1"}, nil)
	gomcp.AddTool(server, &gomcp.Tool{Name: "whoami", Description: "Says who calls"},
		func(_ context.Context, request *gomcp.CallToolRequest, _ struct{}) (*gomcp.CallToolResult, any, error) {
			caller := &auth.TokenInfo{UserID: "unknown"} // the transport of 2024-11-05 does not name the caller
			if request.Extra != nil && request.Extra.TokenInfo != nil {
				caller = request.Extra.TokenInfo
			}
			text := &gomcp.TextContent{Text: caller.UserID + " " + strings.Join(caller.Scopes, " ")}
			return &gomcp.CallToolResult{Content: []gomcp.Content{text}}, nil, nil
		})
	mux := http.NewServeMux()
	listening := httptest.NewUnstartedServer(mux)
	resource := "http://" + listening.Listener.Addr().String() + path
	const wellKnown = "/.well-known/oauth-protected-resource"
	// Required scopes would be in the challenge too. Entra ID needs another name there than in the
	// token.
	mux.Handle(path, auth.RequireBearerToken(verify, &auth.RequireBearerTokenOptions{
		ResourceMetadataURL: "http://" + listening.Listener.Addr().String() + wellKnown + path,
	})(handler(func(*http.Request) *gomcp.Server { return server })))
	mux.Handle(wellKnown+path, auth.ProtectedResourceMetadataHandler(&oauthex.ProtectedResourceMetadata{
		Resource:             resource,
		AuthorizationServers: []string{issuer},
		ScopesSupported:      []string{"api://" + directory.DefaultAPIID + "/tool.read"},
	}))
	listening.Start()
	t.Cleanup(listening.Close)
	return resource
}

func TestGoSDKServers(t *testing.T) {
	t.Parallel()
	streamable := func(options gomcp.StreamableHTTPOptions) func(func(*http.Request) *gomcp.Server) http.Handler {
		return func(server func(*http.Request) *gomcp.Server) http.Handler {
			return gomcp.NewStreamableHTTPHandler(server, &options)
		}
	}
	sse := func(server func(*http.Request) *gomcp.Server) http.Handler { return gomcp.NewSSEHandler(server, nil) }
	newest := []string{""}
	older := []string{"", "2025-11-25", "2025-06-18", "2025-03-26"}
	for _, c := range []struct {
		name      string
		path      string
		handler   func(func(*http.Request) *gomcp.Server) http.Handler
		revisions []string
	}{
		{"stateful", "/mcp", streamable(gomcp.StreamableHTTPOptions{}), older},
		{"stateful, JSON", "/mcp", streamable(gomcp.StreamableHTTPOptions{JSONResponse: true}), newest},
		{"stateless", "/mcp", streamable(gomcp.StreamableHTTPOptions{Stateless: true}),
			[]string{"", "2026-07-28", "2025-11-25"}},
		{"stateless, JSON", "/mcp",
			streamable(gomcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true}), newest},
		{"the transport of 2024-11-05", "/sse", sse, newest},
	} {
		for _, revision := range c.revisions {
			t.Run(c.name+" "+revision, func(t *testing.T) {
				t.Parallel()
				answer := called(t, goSDK(t, c.path, c.handler), "whoami", console.Options{Revision: revision})
				want := directory.DefaultUserID + " tool.read"
				if c.path == "/sse" {
					want = "unknown "
				}
				assert.Equal(t, want, answer)
			})
		}
	}
}

// typeScript starts a server of the TypeScript SDK with its own authorization server. It returns
// the origin.
func typeScript(t *testing.T, script string, arguments ...string) string {
	t.Helper()
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("needs Node.js packages: make interop installs them and runs this")
	}
	folder, err := filepath.Abs("../testdata/interop")
	require.NoError(t, err)
	require.DirExists(t, filepath.Join(folder, "node_modules"), "npm ci in testdata/interop")
	mcpPort := loopbacktest.Port(t)
	authPort := loopbacktest.Port(t)
	environment := []string{
		"PATH=" + os.Getenv("PATH"),
		"MCP_PORT=" + mcpPort,
		"MCP_AUTH_PORT=" + authPort,
		"AUTH_PORT=" + authPort,
	}
	for len(arguments) > 0 && strings.Contains(arguments[0], "=") {
		environment = append(environment, arguments[0])
		arguments = arguments[1:]
	}
	node := exec.CommandContext(
		t.Context(),
		"node",
		append([]string{"--import", "./loopback.mjs", script}, arguments...)...)
	node.Dir = folder
	node.Env = environment
	node.Stderr = os.Stderr
	node.WaitDelay = 5 * time.Second
	output, err := node.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, node.Start())
	lines := bufio.NewScanner(output)
	// The MCP server and its authorization server each print a line.
	listening := 0
	for listening < 2 && lines.Scan() {
		if strings.Contains(lines.Text(), "listening") {
			listening++
		}
	}
	require.Equal(t, 2, listening, "both servers have to listen")
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
		}
	}()
	t.Cleanup(func() {
		_ = node.Process.Kill()
		<-drained
		_ = node.Wait()
	})
	return "http://localhost:" + mcpPort
}

func TestInteropTypeScriptSDKServers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode, path string
		revisions  []string
	}{
		{"stateful", "/mcp", []string{"", "2025-11-25", "2025-06-18", "2025-03-26"}},
		{"stateless", "/mcp", []string{"", "2025-11-25", "2025-06-18", "2025-03-26"}},
		{"json", "/mcp", []string{"", "2025-11-25"}},
		{"sse", "/sse", []string{""}},
	} {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			origin := typeScript(t, "sdk-server/server.mjs", "MODE="+c.mode)
			for _, revision := range c.revisions {
				answer := called(t, origin+c.path, "greet", console.Options{Revision: revision})
				assert.Equal(t, "hello client, scopes: mcp:tools", answer, "revision %q", revision)
			}
		})
	}
}

// TestInteropTypeScriptSDKExample signs in at the SDK's own example of a protected server.
func TestInteropTypeScriptSDKExample(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{{"--oauth"}, {"--oauth", "--oauth-strict"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			t.Parallel()
			const example = "node_modules/@modelcontextprotocol/sdk/dist/esm/examples/server/simpleStreamableHttp.js"
			origin := typeScript(t, example, flags...)
			under, _ := signingIn(t, origin+"/mcp")
			session, err := console.Connect(t.Context(), origin+"/mcp", under, console.Options{})
			require.NoError(t, err)
			defer session.Close()
			answer, err := session.Call(t.Context(), "greet", `{"name": "Adele"}`)
			require.NoError(t, err)
			assert.Equal(t, "Hello, Adele!", answer)
		})
	}
}
