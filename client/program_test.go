package client_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheProgramIsHeldToTheChecks has the built program judged by the built checks, over its command line and its environment.
func TestTheProgramIsHeldToTheChecks(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin+string(filepath.Separator), "./cmd/mcp-entra-client", "../conformance/cmd/mcp-auth-conformance")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	checks := filepath.Join(bin, "mcp-auth-conformance")
	judge := func(arguments ...string) (string, int) {
		run := exec.CommandContext(t.Context(), checks, append([]string{"client"}, arguments...)...)
		run.Env, run.Dir = append(os.Environ(), "MCP_URL="), bin
		out, err := run.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			require.NoError(t, err)
		}
		return string(out), run.ProcessState.ExitCode()
	}
	only := []string{"--only", "client/flow", "--only", "client/open/shell", "--only", "client/isolation/two-servers", "--only", "client/storage"}
	text, status := judge(append(only, "--supports", "kept-state", "--", filepath.Join(bin, "mcp-entra-client"), "--quiet", "--url", "{url}", "call", "{tool}")...)
	assert.Equal(t, 0, status, "%s", text)
	assert.Contains(t, text, " 0 failed (0 insecure), 0 warned, 0 noted, 0 skipped, 0 errors")

	text, status = judge("--only", "client/pkce/s256", "--revision", "2025-11-25", "--", "true")
	assert.Equal(t, 2, status, "a command that does nothing is not judged: %s", text)
	text, status = judge("--supports", "magic", "--", "true")
	assert.Equal(t, 2, status)
	assert.Contains(t, text, `there is no ability "magic"`)
}
