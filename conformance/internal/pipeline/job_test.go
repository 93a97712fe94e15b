package pipeline_test

import (
	"encoding/xml"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"mcpentra/conformance/internal/pipeline"
	"mcpentra/conformance/loopback/loopbacktest"
)

// runTemplate runs a job that extends the template with variables.
func runTemplate(
	t *testing.T, at pipeline.Workplace, shell string, variables map[string]string,
) *pipeline.JobOutcome {
	t.Helper()
	all := map[string]string{
		"CONFORMANCE_PROGRAMS":             programs,
		"CONFORMANCE_FAKEENTRA_ADDR":       "localhost:0",
		"CONFORMANCE_FAKEENTRA_ADMIN_ADDR": "localhost:0",
	}
	maps.Copy(all, variables)
	text, err := yaml.Marshal(map[string]any{
		"include": []any{map[string]any{
			"project": "security/mcpentra",
			"ref":     "v1.0.0",
			"file":    "/conformance/gitlab/mcp-auth-conformance.yml",
		}},
		"mcp": map[string]any{"extends": ".mcp-auth-conformance", "variables": all},
	})
	require.NoError(t, err)
	job, err := pipeline.ReadJob(text, root, "mcp")
	require.NoError(t, err)
	outcome, err := at.RunJob(t.Context(), job, shell)
	require.NoError(t, err)
	for _, path := range job.Artifacts.Paths {
		require.True(t, strings.HasPrefix(job.Artifacts.Reports.JUnit, path))
	}
	return outcome
}

// eachShell runs a test with each shell that an image can have.
func eachShell(t *testing.T, test func(t *testing.T, shell string)) {
	for _, shell := range []string{"bash", "sh"} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			test(t, shell)
		})
	}
}

func TestTemplatePassesOurServer(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, shell string) {
		at := workplace(t)
		with := ownServer(t)
		outcome := runTemplate(t, at, shell, map[string]string{
			"CONFORMANCE_SERVER_URL":     with["server-url"],
			"CONFORMANCE_SERVER_COMMAND": "echo $$$$ > server.pid; " + with["server-command"],
			"CONFORMANCE_FAKEENTRA":      "true",
			"CONFORMANCE_ARGUMENTS":      with["arguments"],
		})
		assert.True(t, outcome.Success, outcome.Log)
		assert.Contains(t, outcome.Log, "server/token/accepted")
		for _, name := range []string{"report.json", "junit.xml", "report.sarif", "report.html"} {
			assert.FileExists(t, filepath.Join(at.Workspace, "mcp-auth-conformance", name))
		}
		assertGroupEnded(t, read(t, filepath.Join(at.Workspace, "server.pid")))
	})
}

// assertGroupEnded looks for processes of a group. One that waits to be reaped has ended.
func assertGroupEnded(t *testing.T, group string) {
	t.Helper()
	processes, err := exec.CommandContext(t.Context(), "ps", "-A", "-o", "pgid=,stat=,args=").Output()
	require.NoError(t, err)
	assert.NotRegexp(t, `(?m)^\s*`+strings.TrimSpace(group)+`\s+[^Z]`, string(processes), "it still runs")
}

func TestTemplateFailsBrokenServer(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, shell string) {
		at := workplace(t)
		variables := map[string]string{
			"CONFORMANCE_SERVER_URL": broken(t).URL + "/mcp",
			"CONFORMANCE_ARGUMENTS":  "--only server/metadata",
		}
		outcome := runTemplate(t, at, shell, variables)
		assert.False(t, outcome.Success, outcome.Log)
		var suites struct {
			Failures int `xml:"failures,attr"`
		}
		junit := read(t, filepath.Join(at.Workspace, "mcp-auth-conformance/junit.xml"))
		require.NoError(t, xml.Unmarshal([]byte(junit), &suites))
		assert.Positive(t, suites.Failures, junit)

		variables["CONFORMANCE_BASELINE"] = "known.txt"
		variables["CONFORMANCE_WRITE_BASELINE"] = "true"
		written := runTemplate(t, at, shell, variables)
		assert.True(t, written.Success, written.Log)
		assert.FileExists(t, filepath.Join(at.Workspace, "mcp-auth-conformance/baseline.txt"))
		delete(variables, "CONFORMANCE_WRITE_BASELINE")
		known := runTemplate(t, at, shell, variables)
		assert.True(t, known.Success, known.Log)
	})
}

func TestTemplateReportsServersThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, shell string) {
		for command, want := range map[string]string{
			"echo no database; exit 7": "the server ended with status 7 before it answered",
			"echo waiting; sleep 600":  "does not answer after 1 seconds",
		} {
			at := workplace(t)
			outcome := runTemplate(t, at, shell, map[string]string{
				"CONFORMANCE_SERVER_URL":     "http://localhost:" + loopbacktest.Port(t) + "/mcp",
				"CONFORMANCE_SERVER_COMMAND": "echo $$$$ > server.pid; " + command,
				"CONFORMANCE_SERVER_WAIT":    "1",
			})
			assert.False(t, outcome.Success)
			assert.Contains(t, outcome.Log, want)
			said, _, _ := strings.Cut(strings.TrimPrefix(command, "echo "), ";")
			assert.Contains(t, outcome.Log, said, "the end of the server's log")
			assertGroupEnded(t, read(t, filepath.Join(at.Workspace, "server.pid")))
		}
	})
}

func TestTemplateTestsClient(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, shell string) {
		at := workplace(t)
		outcome := runTemplate(t, at, shell, map[string]string{
			"CONFORMANCE_CLIENT_COMMAND": "mcp-entra-client --quiet --url '{url}' call {tool}",
			"CONFORMANCE_ARGUMENTS":      "--only client/pkce/s256 --revision 2025-11-25",
		})
		assert.True(t, outcome.Success, outcome.Log)
		assert.Contains(t, outcome.Log, "client/pkce/s256")
		broken := runTemplate(t, at, shell, map[string]string{
			"CONFORMANCE_CLIENT_COMMAND": `echo "$$(touch ran)" ; touch ran`,
			"CONFORMANCE_ARGUMENTS":      "--only client/pkce/s256 --revision 2025-11-25",
		})
		assert.False(t, broken.Success, broken.Log)
		assert.NoFileExists(t, filepath.Join(at.Workspace, "ran"), "no shell runs the words of the client")
	})
}

func TestTemplateRefusesVariablesThatDoNotFit(t *testing.T) {
	t.Parallel()
	const url = "http://localhost:9/mcp"
	for want, variables := range map[string]map[string]string{
		"got neither":            {},
		"got both":               {"SERVER_URL": url, "CLIENT_COMMAND": "client"},
		"want an http or https":  {"SERVER_URL": "file:///etc/passwd"},
		"want up to 9999":        {"SERVER_URL": url, "SERVER_WAIT": "$$(touch ran)"},
		"want true or false":     {"SERVER_URL": url, "FAKEENTRA": "yes"},
		"start their own":        {"CLIENT_COMMAND": "client", "FAKEENTRA": "true"},
		"WRITE_BASELINE needs":   {"SERVER_URL": url, "WRITE_BASELINE": "true"},
		"matching quotes":        {"SERVER_URL": url, "ARGUMENTS": "--only 'server"},
		"needs CONFORMANCE_PROG": {"SERVER_URL": url, "PROGRAMS": "https://localhost/mcpentra.tar.gz"},
		"CONFORMANCE_SOURCE":     {"SERVER_URL": url, "PROGRAMS": ""},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			at := workplace(t)
			prefixed := map[string]string{}
			for name, value := range variables {
				prefixed["CONFORMANCE_"+name] = value
			}
			outcome := runTemplate(t, at, "sh", prefixed)
			assert.False(t, outcome.Success)
			assert.Contains(t, outcome.Log, want)
			assert.NoFileExists(t, filepath.Join(at.Workspace, "ran"))
		})
	}
}
