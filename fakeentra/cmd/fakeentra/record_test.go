package main

import (
	"bufio"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

func TestRecord(t *testing.T) {
	t.Parallel()
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	folder := t.TempDir()
	file := filepath.Join(folder, "traffic.jsonl")
	ca := filepath.Join(folder, "ca.pem")
	command := exec.CommandContext(t.Context(), "fakeentra", "record", file, "--addr", "127.0.0.1:0", "--ca-file", ca,
		"--authority", fake.URL)
	stderr, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Process.Kill() })
	lines := bufio.NewScanner(stderr)
	require.True(t, lines.Scan())
	match := regexp.MustCompile(`HTTPS_PROXY=(http://\S+)$`).FindStringSubmatch(lines.Text())
	require.NotNil(t, match, lines.Text())
	proxy, err := url.Parse(match[1])
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), DisableKeepAlives: true}}
	response, err := client.Get(fake.URL + "/" + directory.DefaultTenantID + "/discovery/v2.0/keys")
	require.NoError(t, err)
	response.Body.Close()
	assert.Equal(t, http.StatusOK, response.StatusCode)
	require.NoError(t, command.Process.Signal(os.Interrupt))
	require.True(t, lines.Scan())
	assert.Equal(t, "fakeentra: 1 exchanges in traffic.jsonl", lines.Text())
	require.NoError(t, command.Wait())

	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Len(t, strings.Split(strings.TrimSpace(string(text)), "\n"), 2, "a header and an exchange")
	assert.NotContains(t, string(text), directory.DefaultTenantID)
	pem, err := os.ReadFile(ca)
	require.NoError(t, err)
	assert.NotContains(t, string(pem), "PRIVATE")
	status, output := runProgram(t, "verify", "--recording", file)
	assert.Equal(t, 0, status, output)
}

func TestRecordRefuses(t *testing.T) {
	t.Parallel()
	taken := filepath.Join(t.TempDir(), "taken.jsonl")
	require.NoError(t, os.WriteFile(taken, []byte("mine"), 0o600))
	for _, test := range []struct{ name, arguments, want string }{
		{"a file that exists", taken, "name a new file"},
		{"an open address", "new.jsonl --addr 0.0.0.0:0", "--addr: want HOST:PORT on loopback"},
		{"http beyond loopback", "new.jsonl --authority http://login.example", "--authority: want https"},
		{"no file", "", "record wants one FILE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			status, stderr := runProgram(t, append([]string{"record"}, strings.Fields(test.arguments)...)...)
			assert.Equal(t, exitUsage, status, stderr)
			assert.Contains(t, stderr, test.want)
		})
	}
}
