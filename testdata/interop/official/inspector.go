package official

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Inspector returns the command line of MCP Inspector. Between its commands it keeps a process in
// the background, until "daemon stop". It keeps all its files in the folder home, whose name has to
// be short, because the folder will hold a socket. The port is for its callback.
func Inspector(ctx context.Context, t testing.TB, home, port string, arguments ...string) *exec.Cmd {
	t.Helper()
	Need(t)
	program := filepath.Join(folder(), "node_modules/@modelcontextprotocol/inspector/clients/mcpdo/build/mcp-bin.js")
	require.FileExists(t, program, "run npm ci in testdata/interop/official")
	command := exec.CommandContext(ctx, node(), append([]string{program}, arguments...)...)
	command.Dir = home
	command.Env = []string{
		"HOME=" + home,
		"MCP_INSPECTOR_DAEMON_DIR=" + home,
		"MCP_INSPECTOR_SECRET_STORE=file",
		"MCP_OAUTH_CALLBACK_URL=http://127.0.0.1:" + port + "/oauth/callback",
		"PATH=" + filepath.Dir(node()),
	}
	command.WaitDelay = 5 * time.Second
	return command
}
