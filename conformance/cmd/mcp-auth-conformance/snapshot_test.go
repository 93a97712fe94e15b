package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gkampitakis/go-snaps/snaps"
	"github.com/stretchr/testify/require"
)

// TestReportShowsFailures snapshots the report on a server that answers initialize without a token,
// and refuses other requests with a 401 without a challenge.
func TestReportShowsFailures(t *testing.T) {
	t.Parallel()
	endpoint := startWithoutChallenge(t)
	var out bytes.Buffer
	command := newCommand()
	command.SetOut(&out)
	const checks = "server/challenge,server/metadata/found,server/metadata/pages"
	command.SetArgs([]string{"server", endpoint + "/mcp", "--only", checks})
	require.ErrorIs(t, command.ExecuteContext(t.Context()), errFailed)
	text := strings.ReplaceAll(out.String(), endpoint, "http://localhost:8000")
	text = regexp.MustCompile(`Date: .+`).ReplaceAllString(text, "Date: …")
	matchSnapshot(t, "conformance-report", text)
}

// TestReportFormats snapshots one run of the same server in each format.
func TestReportFormats(t *testing.T) {
	t.Parallel()
	endpoint := startWithoutChallenge(t)
	folder := t.TempDir()
	line := []string{"server", endpoint + "/mcp", "--only", "server/challenge,server/metadata/found", "--parallel", "1"}
	formats := []string{"json", "junit", "sarif", "github", "badge"}
	for _, format := range formats {
		line = append(line, "--report", format+"="+filepath.Join(folder, format))
	}
	log, err := run(t, line...)
	require.ErrorIs(t, err, errFailed)
	_, annotations, _ := strings.Cut(log, "\n::error ")
	host := strings.TrimPrefix(endpoint, "http://")
	stable := func(text string) string {
		text = strings.NewReplacer(
			host, "localhost:8000",
			strings.ReplaceAll(host, ":", "_"), "localhost_8000",
			markdownOf(host), "localhost&#58;8000",
			folder, "reports",
			markdownOf(folder), "reports",
			version(), "VERSION",
		).Replace(text)
		text = regexp.MustCompile(`Date: [^"\n%&]+( GMT)?`).ReplaceAllString(text, "Date: …")
		text = regexp.MustCompile(`"duration_ms": \d+`).ReplaceAllString(text, `"duration_ms": 0`)
		text = regexp.MustCompile(`time="[\d.]+"`).ReplaceAllString(text, `time="0.000"`)
		text = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?`).ReplaceAllString(text, "TIME")
		return regexp.MustCompile(`: "[0-9a-f]{16}(:1|[0-9a-f]{48})"`).ReplaceAllString(text, `: "…"`)
	}
	for _, format := range formats {
		text, err := os.ReadFile(filepath.Join(folder, format))
		require.NoError(t, err)
		matchSnapshot(t, "report-"+format, stable(string(text)))
	}
	matchSnapshot(t, "report-annotations", stable("::error "+annotations))
}

// markdownOf returns a text as the summary of GitHub writes it.
func markdownOf(text string) string {
	return regexp.MustCompile(`[^ 0-9A-Za-z,-]`).ReplaceAllStringFunc(text, func(mark string) string {
		return fmt.Sprintf("&#%d;", mark[0])
	})
}

// startWithoutChallenge starts a server that answers initialize without a token, and refuses other
// requests with a 401 without a challenge.
func startWithoutChallenge(t *testing.T) string {
	t.Helper()
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/mcp":
			http.NotFound(w, r)
		case r.Method == http.MethodPost && r.Header.Get("MCP-Protocol-Version") == "": // initialize
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`))
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(endpoint.Close)
	return endpoint.URL
}

// TestExplainDescribesID snapshots what explain prints for each kind of ID.
func TestExplainDescribesID(t *testing.T) {
	t.Parallel()
	for name, arguments := range map[string][]string{
		"server-check":   {"server/token/expired"},
		"client-check":   {"client/registration/pre-registered"},
		"issuer-check":   {"authorization-server/redirect/exact"},
		"requirement":    {"server-401-expired-token"},
		"attack":         {"RS-012"},
		"part":           {"RS-072"},
		"advisory":       {"CVE-2025-4143"},
		"topic":          {"server/host"},
		"topic-for-sdks": {"client/iss/", "--sdk", "go,fastmcp"},
		"role":           {"authorization-server"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			command := newCommand()
			command.SetOut(&out)
			command.SetArgs(append([]string{"explain"}, arguments...))
			require.NoError(t, command.ExecuteContext(t.Context()))
			matchSnapshot(t, "explain-"+name, out.String())
		})
	}
}

// TestHelpDescribesCommands snapshots --help of the program and of each command.
func TestHelpDescribesCommands(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for _, name := range []string{"", "server", "issuer", "client", "doctor", "list", "explain", "compare", "aadsts"} {
		var out bytes.Buffer
		command := newCommand()
		command.SetOut(&out)
		arguments := append(strings.Fields(name), "--help")
		command.SetArgs(arguments)
		require.NoError(t, command.ExecuteContext(t.Context()))
		text.WriteString("$ mcp-auth-conformance " + strings.Join(arguments, " ") + "\n" + out.String() + "\n")
	}
	matchSnapshot(t, "conformance-help", text.String())
}

// matchSnapshot compares text with the named snapshot. UPDATE_SNAPS=true rewrites the snapshot.
func matchSnapshot(t *testing.T, name, text string) {
	t.Helper()
	folder := snaps.Dir("../../../testdata/snapshots")
	snaps.WithConfig(folder, snaps.Filename(name), snaps.Ext(".txt")).MatchStandaloneSnapshot(t, text)
}
