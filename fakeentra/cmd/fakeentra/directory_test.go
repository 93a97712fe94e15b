package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/directory"
)

const smallDirectory = `tenants:
  - domains: [fabrikam.onmicrosoft.com]
    apps:
      - displayName: MCP server
        secrets: [a secret]
    users:
      - userPrincipalName: pat@fabrikam.onmicrosoft.com
        displayName: Pat
`

// write replaces a file as editors do.
func write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(name+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(name+".new", name))
}

// line is the next line that the program prints.
func (p *process) line(t *testing.T) string {
	t.Helper()
	require.True(t, p.lines.Scan(), "no more output")
	return p.lines.Text()
}

// send calls the admin API and returns the answer, which has to be a success.
func send(t *testing.T, method, address, body string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Less(t, response.StatusCode, 300, string(text))
	return text
}

// adminOf reads the line about the admin API.
func adminOf(t *testing.T, fake *process) string {
	t.Helper()
	address, found := strings.CutPrefix(fake.line(t), "fakeentra: admin API on ")
	require.True(t, found)
	return address
}

func TestDirectoryFileIsFollowed(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "directory.yaml")
	write(t, name, smallDirectory)
	fake := start(t, "--addr", "127.0.0.1:0", "--admin-addr", "localhost:0", "--quiet", "--directory", name)
	control := adminOf(t, fake)
	people := func() string { return string(send(t, "GET", control+"/fake", "")) }
	assert.Contains(t, people(), "pat@fabrikam.onmicrosoft.com")

	write(t, name, smallDirectory+"      - userPrincipalName: sam@fabrikam.onmicrosoft.com\n"+
		"faults:\n  - {on: keys, status: 503}\n")
	assert.Equal(t, "fakeentra: "+name+" has changed; the fake uses it now", fake.line(t))
	assert.Contains(t, people(), "sam@fabrikam.onmicrosoft.com")
	assert.Contains(t, string(send(t, "GET", control+"/faults", "")), `"status":503`)

	write(t, name, smallDirectory+"      - name: sam\n")
	refused := "fakeentra: the directory stays as it was: " + name + `:9: unknown key "name"; want one of `
	assert.Contains(t, fake.line(t), refused)
	assert.Contains(t, people(), "sam@fabrikam.onmicrosoft.com")

	require.NoError(t, os.Remove(name))
	write(t, name, smallDirectory)
	want := "fakeentra: " + name + " has changed; the fake uses it now"
	assert.Equal(t, want, fake.line(t), "a file may be gone for a moment")
	assert.NotContains(t, people(), "sam@fabrikam.onmicrosoft.com")
	assert.Empty(t, fake.interrupt(t))
}

func TestDirectoryCommand(t *testing.T) {
	t.Parallel()
	example, err := exec.CommandContext(t.Context(), "fakeentra", "directory").Output()
	require.NoError(t, err)
	assert.Equal(t, directory.Example, string(example))
	name := filepath.Join(t.TempDir(), "d.yaml")
	write(t, name, smallDirectory)
	fine, err := exec.CommandContext(t.Context(), "fakeentra", "directory", name).Output()
	require.NoError(t, err)
	assert.Equal(t, name+": fine: tenants 1, apps 1, users 1, faults 0\n", string(fine))
	write(t, name, "tenants: 3\nfault: []\n")
	status, stderr := runProgram(t, "directory", name)
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, name+`:1: want a list, got "3"`+"\n"+name+`:2: unknown key "fault"; perhaps "faults"`)
	status, _ = runProgram(t, "directory", name+".not")
	assert.Equal(t, 2, status)
	status, stderr = runProgram(t, "--addr", "127.0.0.1:0", "--directory", name)
	assert.Equal(t, 2, status)
	assert.Contains(t, stderr, "--directory: "+name+":1: ")
}

// Under a seed and with a clock that stands still, the same requests get the same answers in every
// run.
func TestSeededRunsAreAlike(t *testing.T) {
	t.Parallel()
	run := func(seed string) string {
		fake := start(
			t,
			"--addr",
			"127.0.0.1:0",
			"--quiet",
			"--seed",
			seed,
			"--clock",
			"2026-01-31T09:00:00Z",
			"--public-url",
			"https://login.test",
		)
		response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).PostForm(
			fake.URL+"/"+directory.DefaultTenantID+"/oauth2/v2.0/token",
			url.Values{
				"grant_type":    {"client_credentials"},
				"client_id":     {directory.DefaultClientID},
				"client_secret": {directory.DefaultClientSecret},
				"scope":         {"https://graph.microsoft.com/.default"},
			},
		)
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode, string(text))
		return response.Header.Get("X-Ms-Request-Id") + string(text)
	}
	assert.Equal(t, run("one"), run("one"))
	assert.NotEqual(t, run("one"), run("two"))
}

func TestAdminPort(t *testing.T) {
	t.Parallel()
	fake := start(t, "--addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--quiet")
	control := adminOf(t, fake)
	var list []map[string]string
	require.NoError(t, json.Unmarshal(send(t, "GET", control+"/", ""), &list))
	assert.NotEmpty(t, list)
	response, err := http.Post(fake.URL+"/reset", "application/json", strings.NewReader("{}"))
	require.NoError(t, err)
	response.Body.Close()
	assert.Equal(t, http.StatusNotFound, response.StatusCode, "the API is on its own port alone")
	http.DefaultClient.CloseIdleConnections()
	assert.Empty(t, fake.interrupt(t))
	for _, test := range []struct {
		name      string
		arguments []string
	}{
		{"beyond loopback", []string{"--admin-addr", "0.0.0.0:8401"}},
		{"beyond it, though asked", []string{"--admin-addr", ":8401", "--expose"}},
		{"without a port", []string{"--admin-addr", "localhost"}},
	} {
		status, stderr := runProgram(t, append([]string{"--addr", "127.0.0.1:0"}, test.arguments...)...)
		assert.Equal(t, 2, status, test.name)
		assert.Contains(t, stderr, "--admin-addr: want HOST:PORT on loopback", test.name)
	}
	status, stderr := runProgram(t, "--addr", "127.0.0.1:0", "--clock", "noon")
	assert.Equal(t, 2, status)
	assert.Contains(t, stderr, "--clock: want a time")
	status, stderr = runProgram(t, "--addr", "127.0.0.1:0", "--chaos", "7")
	assert.Equal(t, 2, status)
	assert.Contains(t, stderr, "want a share from 0 to 1")
}
