package server_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/testdata/interop/official"
)

// shownPage matches an authorization request that a program shows to its user.
var shownPage = regexp.MustCompile(`https?://\S+/authorize\?\S+`)

// TestInteropInspector signs MCP Inspector in by the revisions with a handshake and by the newest,
// and calls a tool that asks Graph.
func TestInteropInspector(t *testing.T) {
	t.Parallel()
	official.Need(t)
	address := startServer(t, nil) + "/mcp"
	home, err := os.MkdirTemp("", "mcp-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	port := loopbacktest.Port(t)
	run := func(ctx context.Context, arguments ...string) string {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		out, err := official.Inspector(ctx, t, home, port, arguments...).CombinedOutput()
		require.NoError(t, err, "%v: %s", arguments, out)
		return string(out)
	}
	t.Cleanup(func() { run(context.Background(), "daemon", "stop") })

	page := shownPage.FindString(run(t.Context(), "connect", address, "--connection", "first"))
	require.NotEmpty(t, page)
	require.NoError(t, visit(t.Context(), page))
	assert.Contains(t, run(t.Context(), "connections/show", "@first"), "Era: legacy (2025-11-25)")
	assert.Contains(
		t,
		run(t.Context(), "tools/call", "get_user_name", "--connection", "first"),
		"User name is Adele Vance",
	)

	assert.NotRegexp(
		t,
		shownPage,
		run(t.Context(), "connect", address, "--connection", "second", "--era", "modern"),
		"signed in already",
	)
	assert.Contains(
		t,
		run(t.Context(), "tools/call", "get_user_name", "--connection", "second"),
		"User name is Adele Vance",
	)
}

// TestInteropMCPRemote signs mcp-remote in, which connects programs that only speak stdio, and
// lists the tools.
func TestInteropMCPRemote(t *testing.T) {
	t.Parallel()
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("needs Node.js packages: make interop installs them and runs this")
	}
	address := startServer(t, nil) + "/mcp"
	program, err := filepath.Abs("../testdata/interop/node_modules/mcp-remote/dist/client.js")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "node", program, address, loopbacktest.Port(t))
	command.Env = []string{
		"HOME=" + t.TempDir(),
		"PATH=" + filepath.Dir(mustFind(t, "node")),
	} // no browser is on that path
	command.WaitDelay = 5 * time.Second
	stdin, err := command.StdinPipe() // it ends with its standard input
	require.NoError(t, err)
	defer stdin.Close()
	read, write := io.Pipe()
	command.Stdout = write
	command.Stderr = write
	require.NoError(t, command.Start())
	go func() {
		_ = command.Wait()
		_ = write.Close()
	}()
	var output strings.Builder
	visited := false
	for lines := bufio.NewScanner(read); lines.Scan(); {
		output.WriteString(lines.Text() + "\n")
		if page := shownPage.FindString(lines.Text()); page != "" && !visited {
			visited = true
			go func() { assert.NoError(t, visit(ctx, page)) }()
		}
	}
	assert.True(t, visited, "%s", output.String())
	assert.Contains(t, output.String(), `"name": "get_user_name"`)
	assert.Contains(t, output.String(), `"name": "whoami"`)
}

func mustFind(t *testing.T, program string) string {
	t.Helper()
	found, err := exec.LookPath(program)
	require.NoError(t, err)
	return found
}
