package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
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
	var out bytes.Buffer
	command := newCommand()
	command.SetOut(&out)
	const checks = "server/challenge,server/metadata/found,server/metadata/pages"
	command.SetArgs([]string{"server", endpoint.URL + "/mcp", "--only", checks})
	require.ErrorIs(t, command.ExecuteContext(t.Context()), errFailed)
	text := strings.ReplaceAll(out.String(), endpoint.URL, "http://localhost:8000")
	text = regexp.MustCompile(`Date: .+`).ReplaceAllString(text, "Date: …")
	matchSnapshot(t, "conformance-report", text)
}

// TestExplainDescribesID snapshots what explain prints for each kind of ID.
func TestExplainDescribesID(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]string{
		"server-check": "server/token/expired",
		"client-check": "client/registration/pre-registered",
		"requirement":  "server-401-expired-token",
		"attack":       "RS-012",
		"part":         "RS-072",
		"advisory":     "CVE-2025-4143",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			command := newCommand()
			command.SetOut(&out)
			command.SetArgs([]string{"explain", id})
			require.NoError(t, command.ExecuteContext(t.Context()))
			matchSnapshot(t, "explain-"+name, out.String())
		})
	}
}

// TestHelpDescribesCommands snapshots --help of the program and of each command.
func TestHelpDescribesCommands(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for _, name := range []string{"", "server", "issuer", "client", "doctor", "list", "explain", "aadsts"} {
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
