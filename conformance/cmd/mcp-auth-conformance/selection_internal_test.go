package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
)

// run runs the program with arguments, and returns what it prints.
func run(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	command := newCommand()
	command.SetOut(&out)
	command.SetArgs(arguments)
	err := command.ExecuteContext(t.Context())
	return out.String(), err
}

// startUnauthorized starts a server that has metadata, and answers everything else with a 401
// without a challenge.
func startUnauthorized(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/oauth-protected-resource/mcp" {
			_, _ = w.Write([]byte(`{"resource":"http://localhost:8000/mcp"}`))
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/mcp"
}

func TestBaselineHidesKnownFailures(t *testing.T) {
	t.Parallel()
	address := startUnauthorized(t)
	file := filepath.Join(t.TempDir(), "baseline.txt")
	only := []string{"server", address, "--only", "server/challenge/bearer"}
	_, err := run(t, only...)
	require.ErrorIs(t, err, errFailed)
	_, err = run(t, append(only, "--write-baseline", file)...)
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Contains(t, string(text), "fail server/challenge/bearer")
	out, err := run(t, append(only, "--baseline", file)...)
	require.NoError(t, err)
	assert.Contains(t, out, "known from the baseline")
	assert.NotContains(t, out, "want ")
}

func TestNewFailureCountsBesideBaseline(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "baseline.txt")
	require.NoError(t, os.WriteFile(file, []byte("fail server/token/expired # a reason\n\n"), 0o600))
	_, err := run(t, "server", startUnauthorized(t), "--only", "server/challenge/bearer", "--baseline", file)
	assert.ErrorIs(t, err, errFailed)
}

func TestStaleEntriesAreErrors(t *testing.T) {
	t.Parallel()
	known := baseline{"server/a": check.Fail, "server/b": check.Error, "server/c": check.Fail, "server/d": check.Fail}
	result := func(id string, verdict check.Verdict) check.Result {
		return check.Result{Rule: check.Rule{ID: id}, Verdict: verdict}
	}
	found := &check.Report{Results: []check.Result{
		result("server/a", check.Pass),
		result("server/b", check.Fail),
		result("server/c", check.Skip),
	}}
	const want = "these lines are stale; remove them: fail server/a (now pass), error server/b (now fail)"
	assert.EqualError(t, known.stale(found), want)
}

func TestMalformedBaselineIsError(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"one word", "server/token/expired\n", `line 1: want "fail ID" or "error ID", got "server/token/expired"`},
		{"another verdict", "\nwarn server/token/expired\n", `line 2: want "fail ID" or "error ID"`},
		{"unknown ID", "fail server/token/expierd\n", `line 1: no check has the ID "server/token/expierd"`},
		{
			"the same twice",
			"fail server/token/expired\nfail server/token/expired\n",
			"line 2: server/token/expired is listed twice",
		},
		{"too long", strings.Repeat("#", maxBaseline+1), "want at most 1048576 bytes, got 1048577"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "baseline.txt")
			require.NoError(t, os.WriteFile(file, []byte(test.text), 0o600))
			_, err := readBaseline(file)
			assert.ErrorContains(t, err, test.want)
		})
	}
	_, err := readBaseline(filepath.Join(t.TempDir(), "missing.txt"))
	assert.ErrorContains(t, err, "; write it with --write-baseline")
}

func TestWrongSelectionIsError(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--level", "may"}, `--level: want must, should or policy, got "may"`},
		{[]string{"--severity", "grave"}, `--severity: want critical, high, medium or low, got "grave"`},
		{[]string{"--parallel", "0"}, "--parallel: want 1 to 64, got 0"},
		{[]string{"--except", "server/nothing"}, `no check has the ID "server/nothing"`},
		{[]string{"--only", "server/token", "--except", "server/token"}, "no check is selected"},
		{[]string{"--baseline", "a", "--write-baseline", "b"}, "--baseline and --write-baseline exclude each other"},
	} {
		for _, command := range []string{"server", "client"} {
			arguments := append([]string{command, "http://127.0.0.1:1/mcp"}, test.flags...)
			_, err := run(t, arguments...)
			if command == "client" && strings.Contains(strings.Join(test.flags, " "), "server/token") {
				continue // clients have other IDs
			}
			assert.ErrorContains(t, err, test.want, "%v", arguments)
		}
	}
}

// TestRepetitionTriesResultAgain runs the command that a report names, and gets the same line.
func TestRepetitionTriesResultAgain(t *testing.T) {
	t.Parallel()
	out, err := run(t, "server", startUnauthorized(t), "--timeout", "9s", "--except", "server/token", "--only",
		"server/challenge/bearer", "--level", "must")
	require.ErrorIs(t, err, errFailed)
	_, again, found := strings.Cut(out, "again  mcp-auth-conformance ")
	require.True(t, found, out)
	again, _, _ = strings.Cut(again, "\n")
	assert.NotContains(t, again, "--except")
	assert.Contains(t, again, "--timeout 9s")
	second, err := run(t, strings.Fields(again)...)
	require.ErrorIs(t, err, errFailed)
	first, _, _ := strings.Cut(out, "\n")
	assert.True(t, strings.HasPrefix(second, first+"\n"), second)
}

func TestRepetitionQuotesWords(t *testing.T) {
	t.Parallel()
	command := newClientCommand()
	require.NoError(t, command.ParseFlags([]string{
		"--supports", "kept-state,proxy", "--client-document", "it's mine.json", "--only", "client",
	}))
	rule := check.Rule{ID: "client/pkce/s256", EachRevision: true, Disruptive: true}
	got := repetition(command, []string{"node", "my client.js"}, check.Result{Rule: rule, Revision: check.R20251125})
	const want = `client --supports kept-state --supports proxy --client-document 'it'\''s mine.json' ` +
		`--only client/pkce/s256 --revision 2025-11-25 --disruptive -- node 'my client.js'`
	assert.Equal(t, want, got)
}

func TestRepetitionHidesFields(t *testing.T) {
	t.Parallel()
	command := newIssuerCommand()
	require.NoError(t, command.ParseFlags([]string{"--field", "password=hidden", "--field", "pin=@pin.txt"}))
	rule := check.Rule{ID: "authorization-server/x"}
	got := repetition(command, []string{"http://localhost:9000"}, check.Result{Rule: rule})
	const want = "issuer http://localhost:9000 --field 'password=…' --field pin=@pin.txt " +
		"--only authorization-server/x"
	assert.Equal(t, want, got)
}

// TestReportsHideQueries has keys in the query of the server's address.
func TestReportsHideQueries(t *testing.T) {
	t.Parallel()
	command := newServerCommand()
	given := []string{"https://mcp.example.com/mcp?key=hidden&tenant=a&hidden#top"}
	const shown = "'https://mcp.example.com/mcp?key=…&tenant=…&…#top'"
	result := check.Result{Rule: check.Rule{ID: "server/x"}}
	assert.Equal(t, "server "+shown+" --only server/x", repetition(command, given, result))
	assert.Equal(t, "server "+shown, invocation(command, given))
	found := &check.Report{Target: given[0]}
	assert.Equal(t, strings.Trim(shown, "'"), new(reports).document(found, false).Target)
	assert.Equal(t, "https://mcp.example.com/mcp", withoutValue("https://mcp.example.com/mcp"))
}

// TestShowJoinsRevisions wants one line for results that differ in the revision only.
func TestShowJoinsRevisions(t *testing.T) {
	t.Parallel()
	each := check.Rule{ID: "server/token/accepted", Level: check.Must, EachRevision: true}
	once := check.Rule{ID: "server/token/garbage", Level: check.Must}
	known := check.Result{Rule: each, Revision: check.R20260728, Verdict: check.Fail, Err: errors.New("known")}
	options := runOptions{known: baseline{known.Name(): check.Fail}}
	var out bytes.Buffer
	command := newCommand()
	command.SetOut(&out)
	options.begin(command, nil)
	for _, result := range []check.Result{
		{Rule: each, Revision: check.R20250326, Verdict: check.Pass},
		{Rule: each, Revision: check.R20250618, Verdict: check.Pass},
		{Rule: each, Revision: check.R20251125, Verdict: check.Skip, Err: errors.New("needs x")},
		known,
		{Rule: once, Revision: check.R20251125, Verdict: check.Pass},
		{Rule: each, Revision: check.R20251125, Verdict: check.Pass},
	} {
		options.selected.Progress(result)
	}
	require.NoError(t, options.finish(&check.Report{Results: []check.Result{known}}, nil, nil))
	assert.Contains(t, out.String(), `pass  server/token/accepted (2025-03-26, 2025-06-18)
skip  server/token/accepted@2025-11-25
      needs x
fail  server/token/accepted@2026-07-28
      known from the baseline
pass  server/token/garbage
pass  server/token/accepted@2025-11-25
`)
}
