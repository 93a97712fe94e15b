package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mcpentra/conformance/loopback/loopbacktest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	secure := start(t, "--addr", "localhost:0", "--tls", "--ca-file", ca, "--quiet")
	plain := start(t, "--addr", "127.0.0.1:0", "--chaos", "1", "--admin-addr", "127.0.0.1:0", "--quiet")
	control := adminOf(t, plain)
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	gone := "http://127.0.0.1:" + loopbacktest.Port(t)
	for _, test := range []struct {
		name      string
		arguments []string
		status    int
		text      string
	}{
		{"a fake whose other answers are faults", []string{plain.URL}, 0, ""},
		{"a slash at the end", []string{plain.URL + "/"}, 0, ""},
		{"TLS", []string{"--ca-file", ca, secure.URL}, 0, ""},
		{"TLS without the CA", []string{secure.URL}, 1, "certificate"},
		{"another program", []string{other.URL}, 1, "another program answers at " + other.URL},
		{"no program", []string{gone}, 1, "refused"},
		{"no URL", []string{"localhost:8400"}, 2, `want an http or https URL such as http://localhost:8400, got "loc`},
		{"no CA", []string{"--ca-file", "nowhere.pem", secure.URL}, 2, "--ca-file: open nowhere.pem"},
		{"two URLs", []string{plain.URL, plain.URL}, 2, "health wants one URL or nothing"},
	} {
		status, stderr := runProgram(t, append([]string{"health", "--timeout", "30s"}, test.arguments...)...)
		assert.Equal(t, test.status, status, "%s: %s", test.name, stderr)
		assert.Contains(t, stderr, test.text, test.name)
	}
	assert.Equal(t, "[]\n", string(send(t, "GET", control+"/journal", "")), "the journal does not list it")

	command := exec.CommandContext(t.Context(), "fakeentra", "health", "--timeout", "30s")
	command.Env = append(os.Environ(), "FAKEENTRA_URL="+plain.URL)
	assert.NoError(t, command.Run())
}

// The container starts the program with flags that it has, as a user without rights, and the
// pipeline builds it with the same command.
func TestContainerFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../Containerfile")
	require.NoError(t, err)
	file := string(text)
	list := func(instruction string) []string {
		line := regexp.MustCompile(`(?m)^` + instruction + ` \[(.*)\]$`).FindStringSubmatch(file)
		require.Len(t, line, 2, instruction)
		return strings.Split(strings.ReplaceAll(line[1], `"`, ""), ", ")
	}
	assert.Equal(t, []string{"/fakeentra"}, list("ENTRYPOINT"))
	command := newCommand()
	require.NoError(t, command.ParseFlags(list("CMD")))
	health, rest, err := command.Find(list(`HEALTHCHECK .*CMD`)[1:])
	require.NoError(t, err)
	assert.Equal(t, "health", health.Name())
	assert.Empty(t, rest)
	assert.Regexp(t, `(?m)^USER nonroot`, file)
	assert.Equal(t, 2, strings.Count(file, "\nFROM "), "the compiler stays out of the image")
	build := regexp.MustCompile(`(?m)^RUN (CGO_ENABLED=0 go build -trimpath .*)$`).FindStringSubmatch(file)
	require.Len(t, build, 2)
	pipeline, err := os.ReadFile("../../../.ci/run")
	require.NoError(t, err)
	assert.Contains(t, string(pipeline), "\n"+build[1]+"\n")
}
