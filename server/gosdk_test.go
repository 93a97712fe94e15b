package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	gosdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/server"
	"mcpentra/server/guard"
)

// TestOfficialGoSDK puts a server of the official Go SDK behind the guard, as a handler and as an
// upstream, with sessions and without, and signs a client of the same SDK in. Progress has to
// arrive while the tool still runs.
func TestOfficialGoSDK(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ stateless, upstream bool }{
		"handler with sessions":  {},
		"handler without":        {stateless: true},
		"upstream with sessions": {upstream: true},
		"upstream without":       {stateless: true, upstream: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arrived := make(chan struct{})
			tools := gosdk.NewServer(&gosdk.Implementation{Name: "slow", Version: "1"}, nil)
			gosdk.AddTool(
				tools,
				&gosdk.Tool{Name: "slow"},
				func(ctx context.Context, call *gosdk.CallToolRequest, _ struct{}) (*gosdk.CallToolResult, any, error) {
					err := call.Session.NotifyProgress(
						ctx,
						&gosdk.ProgressNotificationParams{
							ProgressToken: call.Params.GetProgressToken(),
							Progress:      1,
							Total:         2,
						},
					)
					if err != nil {
						return nil, nil, err
					}
					select {
					case <-arrived:
					case <-ctx.Done():
						return nil, nil, ctx.Err()
					}
					text := "done"
					if caller, known := guard.FromContext(ctx); known {
						text += " for " + caller.Name
					}
					return &gosdk.CallToolResult{Content: []gosdk.Content{&gosdk.TextContent{Text: text}}}, nil, nil
				},
			)
			handler := gosdk.NewStreamableHTTPHandler(
				func(*http.Request) *gosdk.Server { return tools },
				&gosdk.StreamableHTTPOptions{Stateless: test.stateless, DisableLocalhostProtection: true},
			)
			origin := startServer(t, func(config *server.Config) {
				config.Stateful = !test.stateless
				if !test.upstream {
					config.MCP = handler
					return
				}
				behind := httptest.NewServer(handler)
				t.Cleanup(behind.Close)
				config.Upstream = behind.URL + "/mcp"
			})
			base := &http.Transport{}
			t.Cleanup(base.CloseIdleConnections)
			signedIn, err := client.New(client.Config{Server: origin + "/mcp", Base: base, Browser: visit})
			require.NoError(t, err)
			onProgress := func(context.Context, *gosdk.ProgressNotificationClientRequest) { close(arrived) }
			program := gosdk.NewClient(&gosdk.Implementation{Name: "program", Version: "1"}, &gosdk.ClientOptions{
				ProgressNotificationHandler: onProgress,
			})
			session, err := program.Connect(t.Context(), &gosdk.StreamableClientTransport{
				Endpoint:             origin + "/mcp",
				HTTPClient:           &http.Client{Transport: signedIn},
				DisableStandaloneSSE: test.stateless,
			}, nil)
			require.NoError(t, err)
			defer session.Close()
			call := &gosdk.CallToolParams{Name: "slow"}
			call.SetProgressToken("p")
			answer, err := session.CallTool(t.Context(), call)
			require.NoError(t, err)
			want := "done for Adele Vance"
			if test.upstream {
				want = "done"
			}
			assert.Equal(t, want, answer.Content[0].(*gosdk.TextContent).Text)
		})
	}
}
