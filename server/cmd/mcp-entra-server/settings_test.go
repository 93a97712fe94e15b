package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestExampleSettingsAreValid turns every key of .env.example on, in the mode that it is for. The
// program knows them all, and stops at the first that has to be filled in.
func TestExampleSettingsAreValid(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", ".env.example"))
	require.NoError(t, err)
	assignment := regexp.MustCompile(`(?m)^#?([A-Z_]+=.*)$`)
	var settings []string
	for _, match := range assignment.FindAllStringSubmatch(string(text), -1) {
		settings = append(settings, match[1])
	}
	require.NotEmpty(t, settings)
	const ofFiles = `|^MCP_ADMIN_|_FILE=` // the reader makes the files
	ofDirectMode := regexp.MustCompile(`^AUTH_(AUDIENCE|SCOPES|TOKEN|ALLOWED|CONFIDENTIAL|APP)` + ofFiles)
	ofBrokerMode := regexp.MustCompile(`^AUTH_(REDIRECT_URI|MODE|CLIENT_DOC|REGISTR|PRIVATE|ASSERTION)` + ofFiles)
	for _, change := range []struct {
		name, line string
		left       *regexp.Regexp
		want       string
	}{
		{"as it is", "", ofDirectMode, "AUTH_TENANT_ID is missing"},
		{"the tenant alone", "AUTH_TENANT_ID=5a1e0001-0000-4000-8000-000000000001", ofDirectMode,
			"AUTH_CLIENT_ID is missing"},
		{"a name for many tenants", "AUTH_TENANT_ID=common", ofDirectMode, "AUTH_TENANT_ID"},
		{"a proxy by name", "MCP_TRUSTED_PROXIES=::1, proxy", ofDirectMode,
			`MCP_TRUSTED_PROXIES: the trusted proxy "proxy" is not`},
		{"every proxy", "MCP_TRUSTED_PROXIES=0.0.0.0/0", ofDirectMode, "MCP_TRUSTED_PROXIES"},
		{"direct mode", "AUTH_MODE=direct", ofBrokerMode, "AUTH_TENANT_ID is missing"},
	} {
		t.Run(change.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var file string
			for _, setting := range settings {
				if !change.left.MatchString(setting) {
					file += setting + "\n"
				}
			}
			file += change.line + "\n" // the last of two lines counts
			require.NoError(t, os.WriteFile(filepath.Join(dir, ".env"), []byte(file), 0o600))
			run := exec.CommandContext(
				t.Context(),
				filepath.Join(programs, "mcp-entra-server"),
				"--addr",
				"localhost:0",
				"--store",
				"memory:",
			)
			run.Dir = dir
			run.Env = []string{"HOME=" + dir}
			out, err := run.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			assert.Equal(t, 2, exit.ExitCode())
			assert.Contains(t, string(out), change.want)
			assert.NotContains(t, string(out), "not a setting")
		})
	}
}
