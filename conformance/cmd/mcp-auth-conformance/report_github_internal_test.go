package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/report"
)

// muted matches the part of a log in which GitHub reads no workflow commands.
var muted = regexp.MustCompile(`(?s)^::stop-commands::(\w{20,})\n(.*)\n::(\w+)::\n(.*)$`)

// TestGitHubReportHasTwoParts wants annotations behind the report for people, and a summary behind
// the earlier content of its file.
func TestGitHubReportHasTwoParts(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "summary.md")
	require.NoError(t, os.WriteFile(file, []byte("earlier\n"), 0o600))
	line := []string{"server", startUnauthorized(t), "--only", "server/challenge/bearer", "--report"}
	for _, name := range []string{file, "-"} {
		out, err := run(t, append(line, "github="+name)...)
		require.ErrorIs(t, err, errFailed)
		parts := muted.FindStringSubmatch(out)
		require.NotNil(t, parts, out)
		assert.Equal(t, parts[1], parts[3])
		assert.Contains(t, parts[2], "fail  server/challenge/bearer")
		assert.Regexp(t, `^::error title=fail server/challenge/bearer`, parts[4])
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(string(text), "earlier\n## MCP authorization"), "%.100s", text)
		assert.Equal(t, 1, strings.Count(string(text), "## MCP"), "- has no summary")
	}
}

// TestGitHubReportLeavesStandardOutput wants nothing but JSON there.
func TestGitHubReportLeavesStandardOutput(t *testing.T) {
	t.Parallel()
	var out, problems bytes.Buffer
	command := newCommand()
	command.SetOut(&out)
	command.SetErr(&problems)
	command.SetArgs([]string{
		"server", startUnauthorized(t), "--only", "server/challenge/bearer",
		"--report", "json=-", "--report", "github=" + filepath.Join(t.TempDir(), "summary.md"),
	})
	require.ErrorIs(t, command.ExecuteContext(t.Context()), errFailed)
	_, err := report.ReadJSON(&out)
	require.NoError(t, err)
	assert.Contains(t, problems.String(), "\n::error title=")
}

// TestFullSummaryIsError has a file that GitHub would not take any more.
func TestFullSummaryIsError(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "summary.md")
	require.NoError(t, os.WriteFile(file, bytes.Repeat([]byte("x\n"), report.MaxGitHubSummary), 0o600))
	_, err := run(t, "server", startUnauthorized(t), "--only", "server/metadata/found", "--report", "github="+file)
	require.ErrorContains(t, err, "want room for a summary")
	assert.Equal(t, exitUsage, status(err))
}

// TestCompareExits compares reports of real runs.
func TestCompareExits(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	pass := filepath.Join(folder, "pass.json")
	fail := filepath.Join(folder, "fail.json")
	client := filepath.Join(folder, "client.json")
	address := startUnauthorized(t)
	_, err := run(t, "server", address, "--only", "server/metadata/found", "--report", "json="+pass)
	require.NoError(t, err)
	const both = "server/metadata/found,server/challenge/bearer"
	_, err = run(t, "server", address, "--only", both, "--report", "json="+fail)
	require.ErrorIs(t, err, errFailed)
	text, err := os.ReadFile(pass)
	require.NoError(t, err)
	text = bytes.Replace(text, []byte(`"kind": "server"`), []byte(`"kind": "client"`), 1)
	require.NoError(t, os.WriteFile(client, text, 0o600))
	for _, test := range []struct {
		old, new string
		status   int
	}{
		{pass, pass, 0},
		{pass, fail, exitFailed},
		{fail, pass, 0},
		{pass, client, exitUsage},
		{pass, folder, exitUsage},
		{os.DevNull, pass, exitUsage},
	} {
		out, err := run(t, "compare", test.old, test.new)
		assert.Equal(t, test.status, status(err), "%s %s: %v", test.old, test.new, err)
		if test.status != exitUsage {
			assert.Contains(t, out, " worse, ")
		}
	}
}
