package workstation_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gkampitakis/go-snaps/snaps"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
	"mcpentra/conformance/doctor/workstation"
)

// now is the time on the machine's clock and on the server's.
var now = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// A testEnv is a machine with a home folder and a server on loopback.
type testEnv struct {
	t      *testing.T
	home   string
	root   string
	server *httptest.Server
	config workstation.Config
	env    map[string]string
	paths  map[string]string // programs that LookPath finds

	mu       sync.Mutex
	requests []string
}

func newTestEnv(t *testing.T) *testEnv {
	t.Helper()
	e := &testEnv{t: t, home: t.TempDir(), root: t.TempDir()}
	e.server = httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(e.server.Close)
	e.env = map[string]string{"HOME": e.home, "DISPLAY": ":0"}
	e.paths = map[string]string{"xdg-open": "/usr/bin/xdg-open", "firefox": "/usr/bin/firefox"}
	e.config = workstation.Config{
		URL:           e.server.URL + "/mcp",
		OS:            "linux",
		Root:          e.root,
		WorkingFolder: t.TempDir(),
		UserID:        os.Getuid(),
		LookPath:      e.lookPath,
		LookupHost: func(context.Context, string) ([]string, error) {
			return []string{"127.0.0.1", "::1"}, nil
		},
		Walk: doctor.Config{Now: func() time.Time { return now }},
	}
	return e
}

func (e *testEnv) lookPath(program string) (string, error) {
	if path := e.paths[program]; path != "" {
		return path, nil
	}
	return "", exec.ErrNotFound
}

// serve is an MCP server with its own authorization server.
func (e *testEnv) serve(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.requests = append(e.requests, r.Method+" "+r.URL.Path)
	e.mu.Unlock()
	base := "http://" + r.Host
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Date", now.Format(http.TimeFormat))
	switch r.URL.Path {
	case "/mcp":
		metadata := base + "/.well-known/oauth-protected-resource/mcp"
		w.Header().Set("WWW-Authenticate", `Bearer resource_metadata="`+metadata+`", scope="user.read"`)
		w.WriteHeader(http.StatusUnauthorized)
	case "/.well-known/oauth-protected-resource/mcp":
		fmt.Fprintf(w, `{"resource":"%s/mcp","authorization_servers":["%s"]}`, base, base)
	case "/.well-known/oauth-authorization-server":
		fmt.Fprintf(w, `{"issuer":"%[1]s","authorization_endpoint":"%[1]s/authorize","token_endpoint":"%[1]s/token",
			"registration_endpoint":"%[1]s/register","response_types_supported":["code"],
			"code_challenge_methods_supported":["S256"],"token_endpoint_auth_methods_supported":["none"]}`, base)
	default:
		http.NotFound(w, r)
	}
}

// examine returns the steps before the walk to the server.
func (e *testEnv) examine() *doctor.Report {
	e.t.Helper()
	for key, value := range e.env {
		e.config.Environ = append(e.config.Environ, key+"="+value)
	}
	report, err := workstation.Examine(e.t.Context(), e.config)
	require.NoError(e.t, err)
	local := doctor.NewReport(report.Subject)
	for _, step := range report.Steps {
		if strings.HasPrefix(step.Name, "client-") {
			local.Steps = append(local.Steps, step)
		}
	}
	require.Len(e.t, local.Steps, 7)
	return local
}

// matches compares the report with a snapshot. It replaces what differs from run to run.
func (e *testEnv) matches(name string, report *doctor.Report) {
	e.t.Helper()
	for i := range report.Steps {
		e.normalise(&report.Steps[i])
	}
	report.Subject = e.normal(report.Subject)
	var text bytes.Buffer
	require.NoError(e.t, report.WriteText(&text, false))
	snaps.WithConfig(
		snaps.Dir("../../../testdata/snapshots"),
		snaps.Filename("doctor-client-"+name),
		snaps.Ext(".txt"),
	).MatchStandaloneSnapshot(e.t, text.String())
}

func (e *testEnv) normalise(step *doctor.Step) {
	for i, line := range step.Did {
		step.Did[i] = e.normal(line)
	}
	for i := range step.Findings {
		finding := &step.Findings[i]
		finding.Seen = e.normal(finding.Seen)
		for j := range finding.Fixes {
			finding.Fixes[j].Text = e.normal(finding.Fixes[j].Text)
		}
	}
}

var (
	changingPort    = regexp.MustCompile(`((?:127\.0\.0\.1|\[::1\]|localhost):)[0-9]{4,5}\b`)
	changingProcess = regexp.MustCompile(`process [0-9]+( \([^)]*\))?`)
	changingOwner   = regexp.MustCompile(`\bbelongs to user [0-9]+`)
	changingUser    = regexp.MustCompile(`\b(you are user|chown -R) [0-9]+`)
	onlyIPv4        = regexp.MustCompile(
		`the machine has no IPv6; .*|the client can listen on (a free port of ::1|\[::1\]:PORT)`)
)

func (e *testEnv) normal(text string) string {
	text = strings.NewReplacer(
		e.home, "/home/user",
		e.config.WorkingFolder, "/home/user/work",
		e.server.URL, "http://localhost:8000",
	).Replace(text)
	text = changingPort.ReplaceAllString(text, "${1}PORT")
	text = changingProcess.ReplaceAllString(text, "process 4711")
	text = changingOwner.ReplaceAllString(text, "belongs to user 1000")
	text = changingUser.ReplaceAllString(text, "$1 2000")
	return onlyIPv4.ReplaceAllString(text, "the same on ::1, if the machine has IPv6")
}

// tokens makes the folder of tokens with these files.
func (e *testEnv) tokens(files map[string]string) string {
	e.t.Helper()
	folder := filepath.Join(e.home, ".local", "state", "mcp-entra-client", "tokens")
	require.NoError(e.t, os.MkdirAll(folder, 0o700))
	for name, text := range files {
		require.NoError(e.t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	return folder
}
