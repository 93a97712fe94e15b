package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
	"mcpentra/conformance/doctor/envfile"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// refusedLines are lines that the server refuses. They come after a good file, and the last line of
// a setting counts.
var refusedLines = []string{
	"AUTH_TENANT_ID=common",
	"AUTH_TENANT_ID=Contoso",
	"AUTH_TENANT_ID=",
	"AUTH_TENANT_ID=5a1e0001-0000-4000-8000-00000000dead",
	"AUTH_CLIENT_ID=mcp",
	"AUTH_CLIENT_ID={" + directory.DefaultClientID + "}",
	"AUTH_CLIENT_ID=5a1e0002-0000-4000-8000-0000000000ff",
	"AUTH_CLIENT_SECRET=",
	"AUTH_CLIENT_SECRET=wrong-secret",
	"AUTH_CLIENT_SECRET=5a1e0002-1111-4000-8000-000000000001",
	"AUTH_CLIENT_SECRET=${SECRET}",
	"AUTH_CLIENT_SECRET=\"open",
	"AUTH_CLIENT_SECRET='a'b",
	`AUTH_CLIENT_SECRET="a\n"`,
	"AUTH_CLIENT_SECRET",
	"AUTH CLIENT SECRET=x",
	"AUTH_CLIENT_SECRET_FILE=nowhere\nAUTH_CLIENT_SECRET=",
	"AUTH_CERTIFICATE_FILE=nowhere\nAUTH_CLIENT_SECRET=",
	"AUTH_FEDERATED_TOKEN_FILE=empty\nAUTH_CLIENT_SECRET=",
	"AUTH_MANAGED_IDENTITY=system",
	"AUTH_AUTHORITY=https://login.microsoftonline.com/common",
	"AUTH_AUTHORITY=login.example.com",
	"AUTH_AUTHORITY=http://login.microsoftonline.com",
	"AUTH_GRAPH_URL=https://graph.example",
	"AUTH_CA_FILE=nowhere",
	"AUTH_CA_FILE=text",
	"AUTH_REDIRECT_URI=https://mcp.example.com/auth/callback",
	"AUTH_MODE=both",
	"AUTH_AUDIENCE=api://x",
	"AUTH_ALLOWED_TENANTS=5a1e0001-0000-4000-8000-000000000001",
	"AUTH_ALOWED_TENANTS=5a1e0001-0000-4000-8000-000000000001",
	"AUTH_CLIENTS_ALLOWED=5a1e0001-0000-4000-8000-000000000001",
	"MCP_TRUSTED_PROXY=127.0.0.1",
	"MCP_TRUSTED_PROXIES=",
	"MCP_TRUSTED_PROXIES=proxy",
	"MCP_TRUSTED_PROXIES=0.0.0.0/0",
	"MCP_TRUSTED_PROXIES=10.0.0.1/8",
	"MCP_ALLOWED_ORIGINS=*",
	"MCP_ALLOWED_ORIGINS=https://a.example/",
	"MCP_ALLOWED_ORIGINS=https://a.example:443",
	"AUTH_REGISTRATION=token",
	"AUTH_REGISTRATION=closed",
	"AUTH_REGISTRATION_TOKEN_FILE=text",
	"AUTH_ASSERTION_AUDIENCE=both",
	"AUTH_CLIENTS_FILE=open",
	"MCP_ADDR=8000",
	"MCP_ADDR=localhost:99999",
	"MCP_ADDR=0.0.0.0:0",
	"MCP_ADMIN_ADDR=localhost:0",
	"MCP_ADMIN_SECRET_FILE=text",
	"MCP_ADMIN_ADDR=localhost:0\nMCP_ADMIN_SECRET_FILE=open",
	"MCP_PUBLIC_URL=mcp.example.com",
	"MCP_PUBLIC_URL=http://mcp.example.com",
	"MCP_PUBLIC_URL=https://mcp.example.com/mcp",
	"MCP_PUBLIC_URL=https://mcp.example.com?",
	"MCP_PUBLIC_URL=https://u:p@mcp.example.com",
	"MCP_PATH=mcp",
	"MCP_PATH=/authorize",
	"MCP_UPSTREAM=localhost:9000",
	"MCP_UPSTREAM=http://u:p@localhost/mcp",
	"MCP_UPSTREAM_HEADERS=X-Own",
	"MCP_LEGACY_SSE=true\nMCP_UPSTREAM=http://localhost:1/mcp",
	"MCP_STATEFUL=maybe",
	"MCP_MAX_CALL=ten",
	"MCP_CALLER_CALLS=0",
	"MCP_BATCH_ANSWERS=64MB",
	"STORE_MAX_RECORDS=1",
	"STORE_URL=file:",
	"STORE_URL=file:/",
	"STORE_URL=mysql://db",
	"STORE_URL=postgres://u:p@127.0.0.1:1/x",
	"MCP_KEYS_FILE=open",
	"AUTH_MODE=direct\nAUTH_REDIRECT_URI=http://localhost:8000/auth/callback",
	"AUTH_MODE=direct\nAUTH_TOKEN_VERSION=3",
	"AUTH_MODE=direct\nAUTH_AUDIENCE=mcp",
	"AUTH_MODE=direct\nAUTH_AUDIENCE=api://mcp/",
	"AUTH_MODE=direct\nAUTH_SCOPES=",
	"AUTH_MODE=direct\nAUTH_ALLOWED_TENANTS=contoso.com",
	"AUTH_MODE=direct\nAUTH_ALLOWED_CLIENTS=mcp",
	"AUTH_MODE=direct\nAUTH_ALLOWED_CLIENT=" + directory.DefaultClientID,
	"AUTH_MODE=direct\nAUTH_CONFIDENTIAL_CLIENTS=yes",
	"AUTH_MODE=direct\nAUTH_TENANT_ID=contoso.onmicrosoft.com",
	"AUTH_MODE=direct\nMCP_ADMIN_ADDR=localhost:0\nMCP_ADMIN_SECRET_FILE=secret",
}

// acceptedLines are lines that the server accepts.
var acceptedLines = []string{
	"",
	"AUTH_TENANT_ID=contoso.onmicrosoft.com",
	"AUTH_CLIENT_ID='" + strings.ToUpper(directory.DefaultClientID) + "' # the app",
	`AUTH_CLIENT_SECRET="` + directory.DefaultClientSecret + `"`,
	"export AUTH_CLIENT_SECRET=  " + directory.DefaultClientSecret + "  ",
	"AUTH_CLIENT_SECRET_FILE=fakesecret\nAUTH_CLIENT_SECRET=",
	"AUTH_COLOUR=red",
	"TRUSTED_PROXIES=127.0.0.1",
	"PATHS=/x\nDEBUG=1",
	"MCP_URL=http://localhost:8000/mcp",
	"MCP_PUBLIC_URL=http://localhost:8000/",
	"MCP_PATH=/",
	"MCP_PATH=/tools/mcp/",
	"MCP_TRUSTED_PROXIES=127.0.0.1, ::1, 10.0.0.0/8",
	"MCP_ALLOWED_ORIGINS=https://a.example http://localhost:6274",
	"MCP_STATEFUL=1",
	"MCP_MAX_CALL=90s",
	"AUTH_PRIVATE_USE_REDIRECTS=none",
	"AUTH_CLIENT_DOCUMENTS=none",
	"AUTH_REGISTRATION=off",
	"MCP_ADMIN_ADDR=localhost:0\nMCP_ADMIN_SECRET_FILE=secret",
	"STORE_URL=memory:",
	"AUTH_GRAPH_URL=http://localhost:1",
}

// TestDoctorAgreesWithServer runs the same files with the server, and with the doctor's examination
// of settings files. Both must refuse a file, or neither. Both name the setting.
func TestDoctorAgreesWithServer(t *testing.T) {
	t.Parallel()
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	for _, lines := range refusedLines {
		t.Run(lines, func(t *testing.T) {
			t.Parallel()
			file := settingsWith(t, fake, lines)
			output, serves := startWith(t, file)
			assert.False(t, serves, "the server accepts it: %s", output)
			report, text := examined(t, file)
			assert.NotZero(t, report.Count(doctor.Fault), "the server says %s", output)
			if key := regexp.MustCompile(`^(AUTH|MCP|STORE)_[A-Z_]+`).FindString(lines); key != "" {
				assert.Contains(t, text, key)
			}
		})
	}
	for _, lines := range acceptedLines {
		t.Run("good "+lines, func(t *testing.T) {
			t.Parallel()
			file := settingsWith(t, fake, lines)
			output, serves := startWith(t, file)
			assert.True(t, serves, output)
			report, text := examined(t, file)
			assert.Zero(t, report.Count(doctor.Fault), text)
		})
	}
}

// settingsWith writes a settings file and the files that it can name.
func settingsWith(t *testing.T, fake *fakeentra.Server, lines string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"text":       "text\n",
		"empty":      "",
		"open":       strings.Repeat("0123456789", 4) + "\n",
		"secret":     strings.Repeat("0123456789", 4) + "\n",
		"fakesecret": directory.DefaultClientSecret + "\n",
	} {
		mode := os.FileMode(0o600)
		if name == "open" {
			mode = 0o666
		}
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), mode))
		require.NoError(t, os.Chmod(filepath.Join(folder, name), mode))
	}
	settings := "AUTH_TENANT_ID=" + directory.DefaultTenantID + "\nAUTH_CLIENT_ID=" + directory.DefaultClientID +
		"\nAUTH_CLIENT_SECRET=" + directory.DefaultClientSecret + "\nAUTH_AUTHORITY=" + fake.URL +
		"\nMCP_ADDR=localhost:0\nSTORE_URL=file:grants.db\n" + lines + "\n"
	if strings.Contains(lines, "AUTH_MODE=direct") {
		settings = strings.NewReplacer(directory.DefaultClientID+"\n", directory.DefaultAPIID+"\n",
			directory.DefaultClientSecret, directory.DefaultAPISecret).Replace(settings)
	}
	file := filepath.Join(folder, "settings.env")
	require.NoError(t, os.WriteFile(file, []byte(settings), 0o600))
	return file
}

// startWith starts the server in the folder of a settings file. It returns the output, and whether
// the server serves. The server ends with the test.
func startWith(t *testing.T, file string) (output string, serves bool) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer log.Close()
	server := exec.CommandContext(t.Context(), filepath.Join(programs, "mcp-entra-server"), "--env", file)
	server.Dir = filepath.Dir(file)
	server.Env = []string{"HOME=" + t.TempDir()}
	server.Stdout = log
	server.Stderr = log
	require.NoError(t, server.Start())
	ended := make(chan struct{})
	go func() {
		_ = server.Wait()
		close(ended)
	}()
	defer func() {
		_ = server.Process.Kill()
		<-ended
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			text, err := os.ReadFile(log.Name())
			require.NoError(t, err)
			return string(text), false
		case <-tick.C:
			text, err := os.ReadFile(log.Name())
			require.NoError(t, err)
			if bytes.Contains(text, []byte("serving http")) {
				return string(text), true
			}
		}
	}
}

// examined examines a settings file.
func examined(t *testing.T, file string) (*doctor.Report, string) {
	t.Helper()
	report, err := envfile.Examine(t.Context(), envfile.Config{File: file})
	require.NoError(t, err)
	text, err := json.Marshal(report)
	require.NoError(t, err)
	return report, string(text)
}
