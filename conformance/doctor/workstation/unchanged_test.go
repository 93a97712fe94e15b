package workstation_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenstore"
	"mcpentra/conformance/doctor"
	"mcpentra/conformance/doctor/workstation"
	"mcpentra/conformance/loopback/loopbacktest"
)

// treeOf describes all files below a folder: their names, modes, times and contents.
func treeOf(t *testing.T, folder string) []string {
	t.Helper()
	var tree []string
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s %v %d %v", path, info.Mode(), info.Size(), info.ModTime().UnixNano())
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %x", text)
		}
		tree = append(tree, line)
		return nil
	}))
	return tree
}

// TestExamineChangesNothing examines a machine on which the client has kept tokens, and some of
// whose files the client would mend.
func TestExamineChangesNothing(t *testing.T) {
	t.Parallel()
	e := newTestEnv(t)
	folder := e.tokens(map[string]string{"new-1.tmp": "left over", "0f.lock": "", "0e.record": "sealed"})
	store, err := tokenstore.OpenFile(folder, nil)
	require.NoError(t, err)
	require.NoError(t, store.Save(t.Context(), tokenstore.Key{Resource: e.config.URL}, tokenstore.Record{}))
	require.NoError(t, os.Chmod(folder, 0o755))
	long := time.Now().Add(-48 * time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(folder, "new-1.tmp"), long, long))
	e.env["MCP_CLIENT_SECRET"] = "hunter2-hunter2"
	e.env["MCP_CLIENT_ID"] = "nightly"
	before := treeOf(t, e.home)

	report := e.examine()
	assert.Equal(t, before, treeOf(t, e.home))
	var text bytes.Buffer
	require.NoError(t, report.WriteText(&text, false))
	require.NoError(t, report.WriteJSON(&text))
	assert.Contains(t, text.String(), "one is for this server")
	assert.NotContains(t, text.String(), "hunter2")
	key, err := os.ReadFile(filepath.Join(folder, "key"))
	require.NoError(t, err)
	assert.NotContains(t, text.String(), string(key))
	assert.NotContains(t, text.String(), fmt.Sprintf("%x", key))

	// The server lets clients register, and saw no request that writes. A POST to the endpoint or a
	// path beside it is a call without a token, which the server refuses.
	e.mu.Lock()
	defer e.mu.Unlock()
	assert.NotEmpty(t, e.requests)
	for _, request := range e.requests {
		method, path, _ := strings.Cut(request, " ")
		isRead := method == "GET" || method == "HEAD" || method == "OPTIONS"
		isCall := method == "POST" && slices.Contains([]string{"/mcp", "/mcp/", "/", "/sse"}, path)
		assert.True(t, isRead || isCall, request)
		assert.NotEqual(t, "/register", path)
	}
}

func TestFolderThatDoesNotExistIsNotMade(t *testing.T) {
	t.Parallel()
	e := newTestEnv(t)
	before := treeOf(t, e.home)
	e.examine()
	assert.Equal(t, before, treeOf(t, e.home))
}

func TestWalkFollowsTheLocalSteps(t *testing.T) {
	t.Parallel()
	e := newTestEnv(t)
	e.config.Environ = []string{"HOME=" + e.home, "MCP_URL=" + e.config.URL}
	e.config.URL = ""
	report, err := workstation.Examine(t.Context(), e.config)
	require.NoError(t, err)
	require.Greater(t, len(report.Steps), 7)
	assert.Equal(t, "reach", report.Steps[7].Name)
	assert.True(t, report.Answers)
	assert.Contains(t, report.Subject, "/mcp")
}

func TestServerThatDoesNotAnswerEndsWithStatus2(t *testing.T) {
	t.Parallel()
	e := newTestEnv(t)
	e.config.URL = "http://127.0.0.1:" + loopbacktest.Port(t) + "/mcp"
	report, err := workstation.Examine(t.Context(), e.config)
	require.NoError(t, err)
	assert.Equal(t, 2, report.ExitStatus())
}

func TestURLIsRequired(t *testing.T) {
	t.Parallel()
	_, err := workstation.Examine(t.Context(), workstation.Config{})
	assert.ErrorContains(t, err, "MCP_URL")
}

func TestPasswordInURLIsNotShown(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"https://user:hunter2-hunter2@mcp.example.invalid/mcp",
		"https://user:hunter2-hunter2@[::1/mcp",
	} {
		e := newTestEnv(t)
		e.config.URL = address
		report := e.examine()
		var text bytes.Buffer
		require.NoError(t, report.WriteText(&text, false))
		assert.NotContains(t, text.String(), "hunter2", address)
	}
}

func TestSchemeIsAddedAsTheClientDoes(t *testing.T) {
	t.Parallel()
	e := newTestEnv(t)
	whole := e.config.URL
	e.config.URL = strings.TrimPrefix(whole, "http://")
	report := e.examine()
	assert.Equal(t, whole, report.Subject)
	assert.Contains(t, report.Steps[0].Did[1], " is read as "+whole)
}

// TestNoProgramIsStarted names a bus that is a program.
func TestNoProgramIsStarted(t *testing.T) {
	t.Parallel()
	e := newTestEnv(t)
	started := filepath.Join(e.home, "started")
	e.env["DBUS_SESSION_BUS_ADDRESS"] = "unixexec:path=/usr/bin/touch,argv1=" + started
	report := e.examine()
	assert.Equal(t, "keychain-not-asked", report.Steps[3].Findings[0].Code)
	assert.NoFileExists(t, started)
}

// TestPipesAreNotWaitedFor names pipes, which nothing writes into, as files.
func TestPipesAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	e := newTestEnv(t)
	pipe := filepath.Join(e.config.WorkingFolder, ".env")
	if err := exec.CommandContext(t.Context(), "mkfifo", pipe).Run(); err != nil {
		t.Skip("needs mkfifo:", err)
	}
	e.env["SSL_CERT_FILE"] = pipe
	report := e.examine()
	assert.Equal(t, doctor.Fault, kindOf(report, "certificate-file-unusable"))
}

// TestWalkGoesThroughTheProxy reaches a server that only the proxy knows.
func TestWalkGoesThroughTheProxy(t *testing.T) {
	t.Parallel()
	e := newTestEnv(t)
	through := proxyTo(t, e.server.Listener.Addr().String())
	e.config.URL = "http://mcp.example.com/mcp"
	e.config.Environ = []string{"HOME=" + e.home, "HTTP_PROXY=" + through}
	report, err := workstation.Examine(t.Context(), e.config)
	require.NoError(t, err)
	assert.True(t, report.Answers)
	assert.Equal(t, doctor.Fault, kindOf(report, "address-refused"), "the client refuses plain http")
}

// TestWalkEndsAtBrokenProxy has findings about the proxy only, and none that blames the server.
func TestWalkEndsAtBrokenProxy(t *testing.T) {
	t.Parallel()
	e := newTestEnv(t)
	e.config.URL = "https://mcp.example.com/mcp"
	e.config.Environ = []string{"HOME=" + e.home, "DISPLAY=:0", "HTTPS_PROXY=http://127.0.0.1:1"}
	report, err := workstation.Examine(t.Context(), e.config)
	require.NoError(t, err)
	assert.Equal(t, 2, report.ExitStatus())
	assert.Len(t, report.Steps, 7)
	assert.Equal(t, doctor.Fault, kindOf(report, "proxy-unusable"))
}

func kindOf(report *doctor.Report, code string) doctor.Kind {
	for _, step := range report.Steps {
		for _, finding := range step.Findings {
			if finding.Code == code {
				return finding.Kind
			}
		}
	}
	return ""
}
