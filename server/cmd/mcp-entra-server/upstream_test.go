package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	mcpclient "github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/conformance/loopback"
	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/useragent"
)

// TestInteropTypeScriptUpstream runs the program in front of a server on the TypeScript SDK, signs
// in, and calls a tool that goes on only once its progress has arrived.
func TestInteropTypeScriptUpstream(t *testing.T) {
	t.Parallel()
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("needs Node.js packages: make interop installs them and runs this")
	}
	folder, err := filepath.Abs("../../../testdata/interop")
	require.NoError(t, err)
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	goOn := filepath.Join(t.TempDir(), "go")
	ownPort := loopbacktest.Port(t)
	publicPort := loopbacktest.Port(t)
	ownURL := "http://127.0.0.1:" + ownPort + "/mcp"
	publicURL := "http://localhost:" + publicPort

	// The upstream asks for the key when it first needs it, so the order does not matter.
	startProcess(t, "listening", exec.Command("node", filepath.Join(folder, "upstream", "server.mjs")),
		"PUBLIC_URL="+publicURL, "OWN_URL="+ownURL, "GO="+goOn)
	startProcess(
		t,
		"serving "+regexp.QuoteMeta(publicURL),
		exec.Command(filepath.Join(programs, "mcp-entra-server"), "--upstream", ownURL, "--store", "memory:"),
		"AUTH_AUTHORITY="+fake.URL,
		"AUTH_TENANT_ID="+directory.DefaultTenantID,
		"AUTH_CLIENT_ID="+directory.DefaultClientID,
		"AUTH_CLIENT_SECRET="+directory.DefaultClientSecret,
		"MCP_ADDR="+publicURL[len("http://"):],
		"MCP_STATEFUL=true",
	)

	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	signedIn, err := client.New(client.Config{
		Server: publicURL + "/mcp",
		Base:   base,
		Browser: func(ctx context.Context, page string) error {
			_, err := (&useragent.Browser{}).Visit(ctx, page)
			return err
		},
	})
	require.NoError(t, err)
	program, err := mcpclient.NewStreamableHttpClient(
		publicURL+"/mcp",
		transport.WithHTTPBasicClient(&http.Client{Transport: signedIn}),
	)
	require.NoError(t, err)
	defer program.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	progress := make(chan struct{}, 1)
	program.OnNotification(func(notification mcp.JSONRPCNotification) {
		if notification.Method == "notifications/progress" {
			assert.NoError(t, os.WriteFile(goOn, nil, 0o600))
			progress <- struct{}{}
		}
	})
	require.NoError(t, program.Start(ctx))
	_, err = program.Initialize(ctx, mcp.InitializeRequest{Params: mcp.InitializeParams{
		ProtocolVersion: "2025-11-25",
		ClientInfo:      mcp.Implementation{Name: "t", Version: "1"},
	}})
	require.NoError(t, err)
	call := mcp.CallToolRequest{}
	call.Params.Name = "slow"
	call.Params.Meta = &mcp.Meta{ProgressToken: "p"}
	answer, err := program.CallTool(ctx, call)
	require.NoError(t, err)
	assert.Equal(t, "done for Adele Vance, token: none", answer.Content[0].(mcp.TextContent).Text)
	assert.Len(t, progress, 1)
}

// port runs `port NAME`: it sets the variable NAME to a free port on loopback.
func port(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: port NAME")
	}
	number, release, err := loopback.ReservePort()
	ts.Check(err)
	ts.Defer(release)
	ts.Setenv(args[0], number)
}

// serveTools runs `tools PORT [sessions]`: an MCP server without any authentication listens there
// until the script ends. Its tool ask answers 42. Its tool count writes its marker to runs.log in
// the script's folder. The requests are in requests.log.
func serveTools(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: tools PORT [sessions]")
	}
	runs, err := os.Create(ts.MkAbs("runs.log"))
	ts.Check(err)
	requests, err := os.Create(ts.MkAbs("requests.log"))
	ts.Check(err)
	mcpServer := mcpserver.NewMCPServer("upstream", "1")
	mcpServer.AddTool(mcp.NewTool("ask"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText("42"), nil
	})
	mcpServer.AddTool(
		mcp.NewTool("count", mcp.WithString("marker", mcp.Required())),
		func(_ context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			marker := call.GetString("marker", "")
			_, err := fmt.Fprintln(runs, marker)
			return mcp.NewToolResultText(marker), err
		},
	)
	sessions := mcpserver.WithStateLess(true)
	if len(args) > 1 {
		sessions = mcpserver.WithStateful(true)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+args[0])
	ts.Check(err)
	httpServer := &http.Server{Handler: logRequests(requests, mcpserver.NewStreamableHTTPServer(mcpServer, sessions))}
	ended := make(chan error, 1)
	go func() { ended <- httpServer.Serve(listener) }()
	ts.Defer(func() {
		_ = httpServer.Close()
		<-ended
		_ = runs.Close()
		_ = requests.Close()
	})
}

// logRequests writes each request of a handler on a line.
func logRequests(log io.Writer, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "the request does not end", http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		line, err := json.Marshal(map[string]any{"url": r.URL.String(), "header": r.Header, "body": string(body)})
		if err == nil {
			_, err = log.Write(append(line, '\n'))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// startProcess starts a program, waits for a line that matches, and ends it with the test.
func startProcess(t testing.TB, pattern string, cmd *exec.Cmd, env ...string) {
	t.Helper()
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	read, write := io.Pipe()
	cmd.Stdout = write
	cmd.Stderr = write
	require.NoError(t, cmd.Start())
	found := make(chan struct{})
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		_ = write.Close()
		<-ended
	})
	go func() {
		defer close(ended)
		ready := regexp.MustCompile(pattern)
		for lines, seen := bufio.NewScanner(read), false; lines.Scan(); {
			t.Log(lines.Text())
			if !seen && ready.MatchString(lines.Text()) {
				seen = true
				close(found)
			}
		}
	}()
	select {
	case <-found:
	case <-time.After(patience):
		t.Fatalf("%s wrote no line that matches %q", cmd.Path, pattern)
	}
}
