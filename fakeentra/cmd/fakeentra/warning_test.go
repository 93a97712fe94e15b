package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const doubtfulDirectory = `tenants:
  - domains: [fabrikam.onmicrosoft.com]
    apps:
      - displayName: API
        tokenVersion: 2
        identifierUris: ["https://mcp.example/mcp"]
`

// A warning does not keep the program from starting.
func TestWarningsOfADirectory(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "directory.yaml")
	write(t, name, doubtfulDirectory)
	warning := "fakeentra: warning: " + name + `:6: app "API": identifier URI "https://mcp.example/mcp" ` +
		"names no domain of the tenant; reports disagree whether Entra ID accepts it"
	output, err := exec.CommandContext(t.Context(), "fakeentra", "directory", name).CombinedOutput()
	require.NoError(t, err)
	assert.Contains(t, string(output), warning+"\n")
	fake := start(t, "--addr", "127.0.0.1:0", "--quiet", "--directory", name)
	assert.Equal(t, warning, fake.line(t))
	write(t, name, doubtfulDirectory+"        web: [\"http://localhost/cb\"]\n")
	assert.Contains(t, fake.line(t), "has changed")
	assert.Equal(t, warning, fake.line(t))
}
