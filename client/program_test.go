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
	clean := func(arguments ...string) {
		text, status := judge(arguments...)
		assert.Equal(t, 0, status, "%s", text)
		assert.Contains(t, text, " 0 failed (0 insecure), 0 warned, 0 noted, 0 skipped, 0 errors")
	}
	only := []string{"--only", "client/flow", "--only", "client/open/shell", "--only", "client/isolation/two-servers", "--only", "client/storage"}
	program := filepath.Join(bin, "mcp-entra-client")
	clean(append(only, "--only", "client/isolation/accounts", "--supports", "kept-state,accounts", "--", program, "--quiet", "--url", "{url}", "call", "{tool}")...)
	clean("--only", "client/device/shown", "--only", "client/device/address", "--supports", "device-code",
		"--", program, "--quiet", "--device-code", "--url", "{url}", "call", "{tool}")

	// Signing out is a command of its own.
	both := filepath.Join(bin, "call-and-sign-out")
	require.NoError(t, os.WriteFile(both, []byte(`#!/bin/sh
"$1" --quiet --url "$2" call test-tool || exit
case "$MCP_CONFORMANCE_CONTEXT" in *sign_out*) "$1" --quiet --url "$2" sign-out ;; esac
`), 0o700))
	clean("--only", "client/sign-out", "--supports", "kept-state,sign-out", "--", both, program, "{url}")

	text, status := judge("--only", "client/pkce/s256", "--revision", "2025-11-25", "--", "true")
	assert.Equal(t, 2, status, "a command that does nothing is not judged: %s", text)
	text, status = judge("--supports", "magic", "--", "true")
	assert.Equal(t, 2, status)
	assert.Contains(t, text, `there is no ability "magic"`)
}
