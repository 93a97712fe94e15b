package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/journal"
)

// verifyEnv writes a settings file that names a listening fake.
func verifyEnv(t *testing.T, authority string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "verify.env")
	text := "# a comment\nexport AUTH_TENANT_ID=" + directory.DefaultTenantID + "\nAUTH_CLIENT_ID='" +
		directory.DefaultClientID + "'\nAUTH_CLIENT_SECRET=\"" + directory.DefaultClientSecret +
		"\"\nAUTH_AUTHORITY=" + authority + " # of a fake\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestVerify(t *testing.T) {
	t.Parallel()
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	env := verifyEnv(t, fake.URL)
	folder := t.TempDir()
	report := filepath.Join(folder, "report.md")
	recording := filepath.Join(folder, "recording.jsonl")
	status, stderr := runProgram(t, "verify", "--env", env, "--tier", "0", "--pause", "0s", "--yes", "--quiet",
		"--report", report, "--write-recording", recording)
	assert.Equal(t, 0, status, stderr)
	assert.Contains(t, stderr, "tenant "+directory.DefaultTenantID, "the tenant is named")
	for _, file := range []string{report, recording} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.NotContains(t, string(text), directory.DefaultTenantID, file)
		assert.NotContains(t, string(text), "Contoso", file)
	}
	requests := fake.Journal().Entries(journal.Filter{})
	status, stderr = runProgram(t, "verify", "--recording", recording)
	assert.Equal(t, 0, status, stderr)
	assert.Len(t, fake.Journal().Entries(journal.Filter{}), len(requests), "a recording is compared without requests")
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	env := verifyEnv(t, fake.URL)
	empty := filepath.Join(t.TempDir(), "empty.env")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for _, test := range []struct{ name, arguments, want string }{
		{"no terminal", "--env " + env, "add --yes"},
		{"no file", "--env /nowhere.env", "--env: want a settings file"},
		{"no tenant", "--yes --env " + empty, "AUTH_TENANT_ID is missing"},
		{"no secret", "--yes --tenant contoso.onmicrosoft.com --tier 1 --env " + empty, "--setup"},
		{"unknown tier", "--yes --env " + env + " --tier 3", "want 0, 1 or 2"},
		{"not a number", "--tier two", "--tier: want a number"},
		{"another file", "--recording " + env, "want a file of fakeentra record"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			status, stderr := runProgram(t, append([]string{"verify"}, strings.Fields(test.arguments)...)...)
			assert.Equal(t, exitUsage, status, stderr)
			assert.Contains(t, stderr, test.want)
		})
	}
	assert.Empty(t, fake.Journal().Entries(journal.Filter{}), "no request was sent")
}

// A drift is exit status 1. An interrupted run still prints the facts that it compared.
func TestVerifyDrift(t *testing.T) {
	t.Parallel()
	config := fakeentra.Config{Directory: directory.Default()}
	config.Directory.Differences = []string{"page-zero-client: status"}
	fake := fakeentra.NewServer(config)
	t.Cleanup(fake.Close)
	env := verifyEnv(t, fake.URL)
	status, stderr := runProgram(t, "verify", "--env", env, "--tier", "0", "--pause", "0s", "--yes", "--quiet")
	assert.Equal(t, exitNo, status, stderr)
	assert.Contains(t, stderr, "1 facts differ")
}

func TestVerifyInterrupted(t *testing.T) {
	t.Parallel()
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	command := exec.CommandContext(t.Context(), "fakeentra", "verify", "--env", verifyEnv(t, fake.URL), "--tier", "0",
		"--pause", "1h", "--yes")
	stderr, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	lines := bufio.NewScanner(stderr)
	last := ""
	for lines.Scan() {
		last = lines.Text()
		if strings.Contains(last, "request 1 of") {
			require.NoError(t, command.Process.Signal(os.Interrupt))
		}
	}
	require.Error(t, command.Wait())
	assert.Equal(t, exitUsage, command.ProcessState.ExitCode())
	assert.Contains(t, last, "interrupted")
}
