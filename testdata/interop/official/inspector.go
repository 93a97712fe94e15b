package official

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Inspector is MCP Inspector's command line, which keeps a process in the background between its
// commands until it is told "daemon stop". Everything that it keeps goes to a folder, whose name
// has to be short since there will be a socket in it. The port is for its callback.
func Inspector(ctx context.Context, t testing.TB, home, port string, arguments ...string) *exec.Cmd {
	t.Helper()
	Need(t)
	program := filepath.Join(folder(), "node_modules/@modelcontextprotocol/inspector/clients/mcpdo/build/mcp-bin.js")
	require.FileExists(t, program, "npm ci in testdata/interop/official")
	command := exec.CommandContext(ctx, node(), append([]string{program}, arguments...)...)
	command.Dir = home
	command.Env = []string{
		"HOME=" + home, "MCP_INSPECTOR_DAEMON_DIR=" + home, "MCP_INSPECTOR_SECRET_STORE=file", "MCP_OAUTH_CALLBACK_URL=http://127.0.0.1:" + port + "/oauth/callback",
		"PATH=" + filepath.Dir(node()),
	}
	command.WaitDelay = 5 * time.Second
	return command
}
