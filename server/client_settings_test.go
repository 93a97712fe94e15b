package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/signin"
	"mcpentra/conformance/doctor/clientsettings"
	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/server"
	"mcpentra/testdata/interop/official"
)

// settingsOf returns the settings that a client gets for a server.
func settingsOf(t *testing.T, client string, server clientsettings.Server) clientsettings.Settings {
	t.Helper()
	sheet, err := clientsettings.For(server)
	require.NoError(t, err)
	for _, settings := range sheet.Settings {
		if settings.Client == client {
			return settings
		}
	}
	require.Fail(t, "no settings", client)
	return clientsettings.Settings{}
}

// signsIn runs a program, visits the first page that it shows, and returns its output. The program
// ends with its standard input, or by itself.
func signsIn(ctx context.Context, t *testing.T, command *exec.Cmd) string {
	t.Helper()
	command.WaitDelay = 5 * time.Second
	stdin, err := command.StdinPipe()
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
	return output.String()
}

// TestInteropSettingsOfInspector runs the command line for MCP Inspector that the doctor prints.
func TestInteropSettingsOfInspector(t *testing.T) {
	t.Parallel()
	official.Need(t)
	settings := settingsOf(t, "MCP Inspector, command line", clientsettings.Server{
		URL:              startServer(t, nil) + "/mcp",
		RegistersClients: true,
		AcceptsDocuments: true,
	})
	words, err := signin.SplitWords(settings.Text)
	require.NoError(t, err)
	require.Equal(t, []string{"npx", "@modelcontextprotocol/inspector"}, words[:2])
	modules, err := filepath.Abs("../testdata/interop/official/node_modules")
	require.NoError(t, err)
	node := filepath.Join(modules, "node/bin/node")
	launcher := filepath.Join(modules, "@modelcontextprotocol/inspector/clients/launcher/build/index.js")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, node, append([]string{launcher}, words[2:]...)...)
	home := t.TempDir()
	command.Dir = home
	command.Env = []string{
		"HOME=" + home,
		"MCP_AUTO_OPEN_ENABLED=true", // a terminal has the same effect; no browser is on the path
		"MCP_INSPECTOR_SECRET_STORE=file",
		"MCP_OAUTH_CALLBACK_URL=http://127.0.0.1:" + loopbacktest.Port(t) + "/oauth/callback",
		"PATH=" + filepath.Dir(node),
	}
	assert.Contains(t, signsIn(ctx, t, command), `"get_user_name"`)
}

// TestInteropSettingsForDirectMode runs mcp-remote as the doctor says for a server whose clients
// sign in at Entra ID itself. mcp-remote connects Claude Desktop and Gemini CLI there.
func TestInteropSettingsForDirectMode(t *testing.T) {
	t.Parallel()
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("needs Node.js packages: make interop installs them and runs this")
	}
	callback := "http://localhost:" + loopbacktest.Port(t) + "/oauth/callback"
	registered := apiDirectory()
	api := &registered.Tenants[0].Apps[1]
	api.PublicClient = []string{callback}
	fake := fakeentra.NewServer(fakeentra.Config{Directory: registered})
	t.Cleanup(fake.Close)
	s := newEnvOf(t, fake, func(config *server.Config) { direct(fake)(config) })
	settings := settingsOf(t, "Claude Desktop, with mcp-remote", clientsettings.Server{
		URL:          s.origin + "/mcp",
		ClientID:     directory.DefaultAPIID,
		RedirectURIs: []string{callback},
		Scopes:       []string{"api://" + directory.DefaultAPIID + "/tool.read", "offline_access"},
		Entra:        true,
	})
	var file struct {
		Servers map[string]struct {
			Command string   `json:"command"`
			Args    []string `json:"args"`
		} `json:"mcpServers"`
	}
	require.NoError(t, json.Unmarshal([]byte(settings.Text), &file))
	words := file.Servers["localhost"].Args
	require.Equal(t, []string{"-y", "mcp-remote"}, words[:2])
	// The program client.js lists the tools. The program proxy.js speaks with a client, and takes
	// the same arguments.
	program, err := filepath.Abs("../testdata/interop/node_modules/mcp-remote/dist/client.js")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "node", append([]string{program}, words[2:]...)...)
	command.Env = []string{
		"HOME=" + t.TempDir(),
		"PATH=" + filepath.Dir(mustFind(t, "node")),
	} // no browser is on that path
	output := signsIn(ctx, t, command)
	assert.Contains(t, output, `"name": "get_user_name"`)
}
