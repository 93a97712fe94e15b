package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/conformance/report"
)

// readReport reads a JSON report.
func readReport(t *testing.T, name string) *report.Document {
	t.Helper()
	file, err := os.Open(name)
	require.NoError(t, err)
	defer file.Close()
	document, err := report.ReadJSON(file)
	require.NoError(t, err)
	return document
}

func TestRunWritesReports(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	first := filepath.Join(folder, "first.json")
	second := filepath.Join(folder, "second.json")
	require.NoError(t, os.WriteFile(second, []byte("an older report"), 0o600))
	address := startUnauthorized(t)
	out, err := run(t, "server", address, "--only", "server/challenge/bearer", "--level", "must",
		"--report", "json="+first, "--report", "json="+second)
	require.ErrorIs(t, err, errFailed)
	assert.Contains(t, out, "fail  server/challenge/bearer", "the report for people is on standard output")
	for _, name := range []string{first, second} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o644), info.Mode())
		document := readReport(t, name)
		assert.Equal(t, "server", document.Kind)
		assert.Equal(t, address, document.Target)
		assert.Equal(t, version(), document.Program)
		assert.False(t, document.Interrupted)
		assert.Contains(t, document.Command, address+" --only server/challenge/bearer --level must --report json=")
		require.NotEmpty(t, document.Results)
		result := document.Results[0]
		assert.Equal(t, "fail", result.Verdict)
		assert.NotEmpty(t, result.Exchanges)
		assert.NotEmpty(t, result.Change)
		assert.Contains(t, result.Again, "--only server/challenge/bearer")
		assert.NotContains(t, result.Again, "--report")
	}
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "no temporary file is left")
}

// TestReportKnowsBaseline has a failure that the baseline lists. The report has it, and marks it.
func TestReportKnowsBaseline(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	known := filepath.Join(folder, "known.txt")
	file := filepath.Join(folder, "report.json")
	line := []string{"server", startUnauthorized(t), "--only", "server/challenge/bearer", "--report", "json=" + file}
	_, err := run(t, append(line, "--write-baseline", known)...)
	require.NoError(t, err)
	assert.False(t, readReport(t, file).Results[0].Known)
	_, err = run(t, append(line, "--baseline", known)...)
	require.NoError(t, err)
	assert.True(t, readReport(t, file).Results[0].Known)
}

// TestReportToStandardOutput wants nothing else there.
func TestReportToStandardOutput(t *testing.T) {
	t.Parallel()
	var out, problems bytes.Buffer
	command := newCommand()
	command.SetOut(&out)
	command.SetErr(&problems)
	command.SetArgs([]string{
		"server", startUnauthorized(t), "--only", "server/challenge/bearer", "--report", "json=-",
	})
	require.ErrorIs(t, command.ExecuteContext(t.Context()), errFailed)
	document, err := report.ReadJSON(&out)
	require.NoError(t, err)
	assert.Equal(t, "fail", document.Results[0].Verdict)
	assert.Contains(t, problems.String(), "fail  server/challenge/bearer")
}

func TestReportFlagIsReadBeforeTheRun(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	inside := func(name string) string { return filepath.Join(folder, name) }
	require.NoError(t, os.WriteFile(inside("there.json"), nil, 0o600))
	require.NoError(t, os.Symlink(inside("there.json"), inside("link.json")))
	for _, test := range []struct {
		name  string
		flags []string
		want  string
	}{
		{"no file", []string{"--report", "json"}, `want FORMAT=FILE, for example json=report.json, got "json"`},
		{"empty file", []string{"--report", "json="}, "want a file after the =, or - for standard output"},
		{"unknown format", []string{"--report", "yaml=a"}, "want one of the formats json, junit"},
		{"no folder", []string{"--report", "json=" + inside("no/a")}, "want a folder in which files can be made"},
		{"a folder", []string{"--report", "json=" + folder}, "want a file, got a folder"},
		{
			"one file twice",
			[]string{"--report", "json=" + inside("a"), "--report", "json=" + inside("./a")},
			"another report goes to that file",
		},
		{
			"one file by two names",
			[]string{"--report", "json=" + inside("there.json"), "--report", "json=" + inside("link.json")},
			"another report goes to that file",
		},
		{
			"standard output twice",
			[]string{"--report", "json=-", "--report", "json=-"},
			"another report goes to that file",
		},
		{
			"the baseline",
			[]string{"--report", "json=" + inside("b"), "--write-baseline", inside("b")},
			"the file is the baseline",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, line := range []string{"server http://127.0.0.1:1", "issuer http://127.0.0.1:1", "client -- x"} {
				words := strings.Fields(line)
				_, err := run(t, append(append(words[:1:1], test.flags...), words[1:]...)...)
				assert.ErrorContains(t, err, test.want, line)
			}
		})
	}
}

// TestReportReplacesTheFileBehindALink keeps the link.
func TestReportReplacesTheFileBehindALink(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "report.json")
	link := filepath.Join(folder, "latest.json")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.NoError(t, os.Symlink(file, link))
	_, err := run(t, "server", startUnauthorized(t), "--only", "server/metadata/found", "--report", "json="+link)
	require.NoError(t, err)
	assert.Len(t, readReport(t, file).Results, 1)
	info, err := os.Lstat(link)
	require.NoError(t, err)
	assert.Equal(t, os.ModeSymlink, info.Mode().Type())
}

// TestReportToADevice does not replace the device.
func TestReportToADevice(t *testing.T) {
	t.Parallel()
	_, err := run(t, "server", startUnauthorized(t), "--only", "server/metadata/found", "--report", "json="+os.DevNull)
	require.NoError(t, err)
	info, err := os.Stat(os.DevNull)
	require.NoError(t, err)
	assert.False(t, info.Mode().IsRegular())
}

// TestUnreachableTargetHasNoReport keeps the report of an earlier run, and says so.
func TestUnreachableTargetHasNoReport(t *testing.T) {
	t.Parallel()
	dead := "http://127.0.0.1:" + loopbacktest.Port(t)
	file := filepath.Join(t.TempDir(), "report.json")
	require.NoError(t, os.WriteFile(file, []byte("an older report"), 0o600))
	for _, line := range []string{"server " + dead, "issuer " + dead, "client --timeout 1s -- false"} {
		words := strings.Fields(line)
		_, err := run(t, append([]string{words[0], "--report", "json=" + file}, words[1:]...)...)
		assert.ErrorContains(t, err, "; no report is written, because no check was run", line)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, "an older report", string(text))
	}
}

// TestInterruptedRunWritesReports ends a run when it prints its first result.
func TestInterruptedRunWritesReports(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	file := filepath.Join(t.TempDir(), "report.json")
	command := newCommand()
	command.SetOut(screenWriter(func(text []byte) (int, error) {
		cancel()
		return len(text), nil
	}))
	command.SetArgs([]string{"server", startUnauthorized(t), "--parallel", "1", "--report", "json=" + file,
		"--only", "server/challenge/bearer,server/metadata"})
	err := command.ExecuteContext(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, exitUsage, status(err))
	document := readReport(t, file)
	assert.True(t, document.Interrupted)
	require.NotEmpty(t, document.Results)
	for _, result := range document.Results {
		assert.NotEqual(t, "error", result.Verdict, "%s was not completed: %s", result.Name, result.Reason)
	}
}

// TestReportThatCannotBeWrittenIsError removes the folder of the report during the run. A failed
// check counts more, and the error is still printed.
func TestReportThatCannotBeWrittenIsError(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		only     string
		isFailed bool
	}{{"server/metadata/found", false}, {"server/challenge/bearer", true}} {
		t.Run(test.only, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join(t.TempDir(), "reports")
			require.NoError(t, os.Mkdir(folder, 0o700))
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = os.RemoveAll(folder)
				if r.URL.Path == "/.well-known/oauth-protected-resource/mcp" {
					_, _ = w.Write([]byte(`{"resource":"http://localhost:8000/mcp"}`))
					return
				}
				w.WriteHeader(http.StatusUnauthorized)
			}))
			defer server.Close()
			var problems bytes.Buffer
			command := newCommand()
			command.SetOut(&bytes.Buffer{})
			command.SetErr(&problems)
			file := "json=" + filepath.Join(folder, "report.json")
			command.SetArgs([]string{"server", server.URL + "/mcp", "--only", test.only, "--report", file})
			err := command.ExecuteContext(t.Context())
			if !test.isFailed {
				assert.ErrorContains(t, err, "--report "+file)
				return
			}
			require.ErrorIs(t, err, errFailed)
			assert.Contains(t, problems.String(), "mcp-auth-conformance: --report "+file)
		})
	}
}

func TestCommandOfAReportHasNoSecrets(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "report.json")
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	_, _ = run(t, "issuer", server.URL, "--field", "password=hunter2", "--only", "authorization-server/metadata",
		"--report", "json="+file)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "hunter2")
	assert.Contains(t, string(text), "--field 'password=…'")
}

func TestListPrintsSchema(t *testing.T) {
	t.Parallel()
	out, err := run(t, "list", "--schema")
	require.NoError(t, err)
	assert.Equal(t, string(report.Schema()), out)
}
