package pipeline_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/internal/pipeline"
	"mcpentra/conformance/loopback/loopbacktest"
)

const actionFolder = root + "/.github/actions/mcp-auth-conformance"

// use runs the action with inputs.
func use(t *testing.T, at pipeline.Workplace, with map[string]string) *pipeline.Outcome {
	t.Helper()
	action, err := pipeline.ReadAction(actionFolder)
	require.NoError(t, err)
	all := map[string]string{
		"programs":             programs,
		"fakeentra-addr":       "localhost:0",
		"fakeentra-admin-addr": "localhost:0",
	}
	maps.Copy(all, with)
	outcome, err := at.Use(t.Context(), action, all)
	require.NoError(t, err)
	return outcome
}

// ownServer are the inputs for our own server behind the fake. A few checks are enough here.
func ownServer(t *testing.T) map[string]string {
	port := loopbacktest.Port(t)
	return map[string]string{
		"server-url":     "http://localhost:" + port + "/mcp",
		"server-command": "STORE_URL=memory: exec mcp-entra-server --addr localhost:" + port,
		"fakeentra":      "true",
		"arguments":      "--only server/challenge/without-token --only 'server/token/accepted' --revision 2025-11-25",
	}
}

func TestActionPassesOurServer(t *testing.T) {
	t.Parallel()
	at := workplace(t)
	with := ownServer(t)
	outcome := use(t, at, with)
	assert.True(t, outcome.Success, outcome.Log())
	assert.Equal(t, "0", outcome.Outputs["status"])
	assert.Contains(t, outcome.Log(), "server/token/accepted", "the fake gives the tokens")
	assert.NotEmpty(t, outcome.Summary)
	assertStopped(t, at)
	assert.FileExists(t, filepath.Join(at.Workspace, ".env"), "the settings of the fake")
	for _, name := range []string{"report.json", "junit.xml", "report.sarif", "report.html", "summary.md"} {
		assert.FileExists(t, filepath.Join(outcome.Outputs["report"], name))
	}
	last := outcome.Steps[len(outcome.Steps)-1]
	assert.Regexp(t, `^actions/upload-artifact@[0-9a-f]{40}$`, last.Uses)
	assert.Equal(t, outcome.Outputs["report"], last.With["path"])
	assert.Equal(t, "mcp-auth-conformance", last.With["name"])
}

// broken is a server whose metadata is about another server.
func broken(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := "http://" + r.Host + "/.well-known/oauth-protected-resource"
		if r.URL.Path == "/mcp" {
			w.Header().Set("WWW-Authenticate", `Bearer resource_metadata="`+at+`"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"resource": "https://other.example/mcp\n::error::forged\n"}`)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestActionFailsBrokenServer(t *testing.T) {
	t.Parallel()
	at := workplace(t)
	server := broken(t)
	with := map[string]string{"server-url": server.URL + "/mcp", "arguments": "--only server/metadata"}
	outcome := use(t, at, with)
	assert.False(t, outcome.Success, outcome.Log())
	assert.Equal(t, "1", outcome.Outputs["status"])
	require.NotEmpty(t, outcome.Annotations())
	for _, annotation := range outcome.Annotations() {
		assert.NotEqual(t, "forged", annotation.Message, "the runner ignores lines of the server")
	}
	assert.Contains(t, outcome.Summary, "server/metadata/")
	last := outcome.Steps[len(outcome.Steps)-1]
	assert.Contains(t, last.Uses, "actions/upload-artifact@", "reports of a failure are uploaded too")

	// The baseline of this run lets the next one pass.
	with["baseline"] = "known.txt"
	refused := use(t, at, with)
	assert.False(t, refused.Success)
	assert.Contains(t, refused.Log(), "run once with write-baseline: true")
	with["write-baseline"] = "true"
	written := use(t, at, with)
	assert.True(t, written.Success, written.Log())
	assert.Equal(t, read(t, filepath.Join(at.Workspace, "known.txt")),
		read(t, filepath.Join(written.Outputs["report"], "baseline.txt")))
	with["write-baseline"] = "false"
	known := use(t, at, with)
	assert.True(t, known.Success, known.Log())
	assert.Contains(t, known.Log(), "known from the baseline")
}

func TestActionReportsServersThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ command, want string }{
		"ends":     {"echo '::error::forged'; exit 7", "server-command ended with status 7 before"},
		"is late":  {"echo waiting for a database; sleep 600", "does not answer after 1 seconds"},
		"unknown":  {"no-server-here", "server-command ended with status 127 before"},
		"children": {"sleep 600 & sleep 600", "does not answer after 1 seconds"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := workplace(t)
			outcome := use(t, at, map[string]string{
				"server-url":     "http://localhost:" + loopbacktest.Port(t) + "/mcp",
				"server-command": "echo $$ > server.pid; " + test.command,
				"server-wait":    "1",
			})
			assert.False(t, outcome.Success)
			annotations := outcome.Annotations()
			require.Len(t, annotations, 1, "the runner ignores lines of the log: %s", outcome.Log())
			assert.Contains(t, annotations[0].Message, test.want)
			if said, _, isSaid := strings.Cut(test.command, ";"); isSaid {
				said = strings.Trim(strings.TrimPrefix(said, "echo "), "'")
				assert.Contains(t, outcome.Log(), said, "the end of the server's log")
			}
			for _, step := range outcome.Steps {
				assert.Empty(t, step.Uses, "there are no reports to upload")
				assert.NotEqual(t, "checks", step.ID)
			}
			assertStopped(t, at)
		})
	}
}

// assertStopped looks for processes that work in the folder of the job.
func assertStopped(t *testing.T, at pipeline.Workplace) {
	t.Helper()
	records, err := filepath.Glob(filepath.Join(at.Temp, "*", "*.process"))
	require.NoError(t, err)
	require.NotEmpty(t, records)
	for _, record := range records {
		group := strings.Fields(read(t, record))[0]
		processes, err := exec.CommandContext(t.Context(), "ps", "-A", "-o", "pgid=,stat=,args=").Output()
		require.NoError(t, err)
		assert.NotRegexp(t, `(?m)^\s*`+group+`\s+[^Z]`, string(processes), "%s still runs", record)
	}
}

// A process that the action did not start stays, also if it has the ID of one that it did start.
func TestActionStopsOnlyWhatItStarted(t *testing.T) {
	t.Parallel()
	script := func(source, folder string) string {
		run := exec.CommandContext(t.Context(), "bash", "-ec", source)
		run.Dir = actionFolder
		run.Env = append(os.Environ(), "INPUT_FOLDER="+folder)
		output, err := run.Output()
		require.NoError(t, err)
		return strings.TrimSpace(string(output))
	}
	isAlive := func(group, folder string) string {
		return script(". ./processes.sh; if alive "+group+"; then echo yes; else echo no; fi", folder)
	}
	started := t.TempDir()
	group := script(`. ./processes.sh; launch "$INPUT_FOLDER" server sleep 600; echo "$pid"`, started)
	t.Cleanup(func() { _ = exec.Command("kill", group).Run() })
	require.Equal(t, "yes", isAlive(group, started))

	other := t.TempDir()
	write(t, filepath.Join(other, "server.process"), group+" Thu Jan 1 00:00:00 1970\n")
	script("./stop.sh", other)
	assert.Equal(t, "yes", isAlive(group, started), "the record is of an older process with this ID")
	script("./stop.sh", started)
	assert.Equal(t, "no", isAlive(group, started))
	script("./stop.sh", started)
}

func TestActionTestsClient(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		command string
		success bool
		log     string
	}{
		"passes": {
			command: "mcp-entra-client --quiet --url '{url}' call {tool}",
			success: true,
			log:     "pass  client/pkce/s256",
		},
		"no client": {command: "no-client-here", log: "no-client-here"},
		"a quote":   {command: "mcp-entra-client 'http", log: "want words with matching quotes"},
		"a shell would run it": {
			command: `echo "$(touch ran)" ; touch ran`,
			log:     "want a request to the MCP server",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := workplace(t)
			outcome := use(t, at, map[string]string{
				"client-command": test.command,
				"arguments":      "--only client/pkce/s256 --revision 2025-11-25",
			})
			assert.Equal(t, test.success, outcome.Success, outcome.Log())
			assert.Contains(t, outcome.Log(), test.log)
			assert.NoFileExists(t, filepath.Join(at.Workspace, "ran"))
		})
	}
}

func TestActionRefusesInputsThatDoNotFit(t *testing.T) {
	t.Parallel()
	const url = "http://localhost:9/mcp"
	for want, with := range map[string]map[string]string{
		"got neither":             {},
		"got both":                {"server-url": url, "client-command": "client"},
		"also needs server-url":   {"server-command": "server"},
		"want an http or https":   {"server-url": "file:///etc/passwd"},
		"want 1 to 9999 seconds":  {"server-url": url, "server-wait": "$(touch ran)"},
		"fakeentra: want true":    {"server-url": url, "fakeentra": "yes"},
		"start their own":         {"client-command": "client", "fakeentra": "true"},
		"write-baseline needs":    {"server-url": url, "write-baseline": "true"},
		"write-baseline: want":    {"server-url": url, "write-baseline": "TRUE"},
		"there is no file a%0A b": {"server-url": url, "baseline": "a\n b"},
		"there is no folder away": {"server-url": url, "working-directory": "away"},
		"want an https URL":       {"server-url": url, "programs": "http://localhost/mcpentra.tar.gz"},
		"needs programs-sha256":   {"server-url": url, "programs": "https://localhost/mcpentra.tar.gz"},
		"64 hexadecimal digits":   {"server-url": url, "programs-sha256": "sha256:0"},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			at := workplace(t)
			outcome := use(t, at, with)
			assert.False(t, outcome.Success)
			require.Len(t, outcome.Steps, 1, outcome.Log())
			assert.Contains(t, outcome.Log(), want)
			require.Len(t, outcome.Annotations(), 1)
			assert.NoFileExists(t, filepath.Join(at.Workspace, "ran"))
		})
	}
}

// Inputs can hold any text. The scripts get them as variables.
func TestActionPutsNoInputIntoScripts(t *testing.T) {
	t.Parallel()
	action, err := pipeline.ReadAction(actionFolder)
	require.NoError(t, err)
	used := ""
	for _, step := range action.Runs.Steps {
		assert.NotContains(t, step.Run, "${{")
		if step.Uses != "" {
			assert.Regexp(t, `^[a-z]+/[a-z-]+@[0-9a-f]{40}$`, step.Uses, "a tag can move")
		}
		for _, value := range step.Env {
			used += value
		}
		used += step.If
	}
	for name := range action.Inputs {
		assert.Contains(t, used, "inputs."+name, "an input without effect")
	}
}

func TestActionBuildsProgramsFromItsSource(t *testing.T) {
	t.Parallel()
	at := workplace(t)
	outcome := use(t, at, map[string]string{
		"programs":   "",
		"server-url": broken(t).URL + "/mcp",
		"arguments":  "--only server/metadata/resource",
		"artifact":   "",
	})
	assert.Equal(t, "1", outcome.Outputs["status"], outcome.Log())
	assert.Regexp(t, `^actions/setup-go@`, outcome.Steps[1].Uses)
	for _, name := range []string{"go-version-file", "cache-dependency-path"} {
		assert.FileExists(t, outcome.Steps[1].With[name])
	}
	for _, step := range outcome.Steps {
		assert.NotContains(t, step.Uses, "upload-artifact", "the name of the artifact is empty")
	}
}
