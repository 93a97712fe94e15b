package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/internal/console"
)

// The environment of the tests. A test makes its server with one of these, from the whole to the
// parts:
//
//   - connected: a server on mcp-go with the tools echo, fail and evil.
//   - withTool: a server with one tool, search, with the input schema of the test.
//   - scripted: a server of MCP 2025-11-25 with the results of the test.
//   - connectTo: any server.
//
// prompt and piped type commands. assertTame checks the text for a terminal.

// evil is text that changes what a terminal shows.
const evil = "nice\x1b[2J\x07 \u202etxt.exe\u202c\x9b31m\r\nline"

// assertTame fails for text that controls a terminal.
func assertTame(t *testing.T, text string) {
	t.Helper()
	assert.NotRegexp(t, "[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]", text)
}

// connectTo connects to a server, and closes the session after the test.
func connectTo(t *testing.T, address string, options console.Options) (*console.Session, error) {
	t.Helper()
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	under, err := client.New(client.Config{Server: address, Base: base})
	require.NoError(t, err)
	session, err := console.Connect(t.Context(), address, under, options)
	if err == nil {
		t.Cleanup(session.Close)
	}
	return session, err
}

// connected returns a session with a server that has three tools: echo, fail and evil.
func connected(t *testing.T, revision string) *console.Session {
	t.Helper()
	tools := mcpserver.NewMCPServer("tools\x1b]0;title\x07", "1.0")
	tools.AddTool(mcp.NewTool("echo", mcp.WithDescription("Repeats its arguments.")),
		func(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			text, err := json.Marshal(request.GetRawArguments())
			return mcp.NewToolResultText(string(text)), err
		})
	tools.AddTool(mcp.NewTool("fail"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultError("it is broken" + evil), nil
	})
	tools.AddTool(mcp.NewTool("evil", mcp.WithDescription(evil)),
		func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{
				mcp.NewTextContent(evil),
				mcp.NewImageContent("AAAA", "image/png"+evil),
				mcp.NewAudioContent("AAAA", "audio/wav"),
				mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: "x:" + evil, Text: evil}),
			}}, nil
		})
	server := httptest.NewServer(mcpserver.NewStreamableHTTPServer(tools, mcpserver.WithStateLess(true)))
	t.Cleanup(server.Close)
	session, err := connectTo(t, server.URL+"/mcp", console.Options{Revision: revision, Version: "1.0"})
	require.NoError(t, err)
	return session
}

// scripted returns a session with a server of MCP 2025-11-25, and the number of its answers so far.
// The server answers a method with a result, as JSON text. It replaces PAGE by the number of the
// answer, and ARGUMENTS by the arguments of the call.
func scripted(t *testing.T, results map[string]string) (*console.Session, *atomic.Int64) {
	t.Helper()
	results["initialize"] = `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},
		"serverInfo":{"name":"s","version":"1"}}`
	var answers atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
			Params struct {
				Arguments json.RawMessage `json:"arguments"`
			} `json:"params"`
		}
		result := ""
		if json.NewDecoder(r.Body).Decode(&request) == nil {
			result = results[request.Method]
		}
		if result == "" {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		page := fmt.Sprint(answers.Add(1))
		w.Header().Set("Content-Type", "application/json")
		arguments := strconv.Quote(string(request.Params.Arguments))
		result = strings.NewReplacer("PAGE", page, "ARGUMENTS", arguments).Replace(result)
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, request.ID, result)
	}))
	t.Cleanup(server.Close)
	session, err := connectTo(t, server.URL, console.Options{Revision: "2025-11-25"})
	require.NoError(t, err)
	answers.Store(0)
	return session, &answers
}

// withTool returns a session with a server that has one tool, search, with an input schema. The
// tool returns its arguments.
func withTool(t *testing.T, schema string) *console.Session {
	t.Helper()
	session, _ := scripted(t, map[string]string{
		"tools/list": `{"tools":[{"name":"search","description":"Searches\nplans.","inputSchema":` + schema + `}]}`,
		"tools/call": `{"content":[{"type":"text","text":ARGUMENTS}]}`,
	})
	return session
}

// prompt pipes lines into a prompt, and returns the prompt's output.
func prompt(t *testing.T, session *console.Session, lines ...string) string {
	t.Helper()
	output, _ := piped(t, session, lines...)
	return output
}

// piped is prompt with the prompt's error.
func piped(t *testing.T, session *console.Session, lines ...string) (string, error) {
	t.Helper()
	in, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer in.Close()
	_, err = in.WriteString(strings.Join(lines, "\n"))
	require.NoError(t, err)
	_, err = in.Seek(0, 0)
	require.NoError(t, err)
	var out bytes.Buffer
	err = console.Prompt(t.Context(), session, console.Streams{In: in, Out: &out, Err: &out})
	return out.String(), err
}
