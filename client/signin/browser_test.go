package signin_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/signin"
)

func TestOpenWithRunsFirstCommandThatWorks(t *testing.T) {
	t.Parallel()
	const page = login + "/authorize"
	failing, failingArguments := recordingProgram(t, "3")
	working, workingArguments := recordingProgram(t, "0")
	browser, err := signin.OpenWith(
		"/nonexistent/browser:'" + failing + "' %s::'" + working + "' -x:/nonexistent/other",
	)
	require.NoError(t, err)
	require.NoError(t, browser(t.Context(), page))
	assert.Equal(t, []string{page}, failingArguments())
	assert.Equal(t, []string{"-x", page}, workingArguments())
}

func TestBrowserReportsFailure(t *testing.T) {
	t.Parallel()
	failing, _ := recordingProgram(t, "3")
	for _, c := range []struct {
		name, list, text string
		isNotOpened      bool // the sign-in goes on: a person can open the page
	}{
		{"one missing program", "/nonexistent/browser", `"/nonexistent/browser" could not be started`, true},
		{"two missing programs", "/nonexistent/browser:/nonexistent/other", "/nonexistent/other", true},
		{"exit status", "'" + failing + "'", "ended with status 3", false},
		{"missing program, then exit status", "/nonexistent/browser:'" + failing + "'", "ended with status 3", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			browser, err := signin.OpenWith(c.list)
			require.NoError(t, err)
			err = browser(t.Context(), login+"/authorize")
			require.ErrorContains(t, err, c.text)
			var notOpened *signin.NotOpenedError
			if c.isNotOpened {
				assert.ErrorAs(t, err, &notOpened)
			} else {
				assert.NotErrorAs(t, err, &notOpened)
			}
		})
	}
}

func TestBrowserMayOutliveSignIn(t *testing.T) {
	t.Parallel()
	path, _ := recordingProgram(t, "0")
	browser, err := signin.OpenWith("'" + path + "'")
	require.NoError(t, err)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, browser(canceled, login+"/"))
}

func TestCheckPageRefuses(t *testing.T) {
	t.Parallel()
	path, _ := recordingProgram(t, "0")
	browser, err := signin.OpenWith("'" + path + "'")
	require.NoError(t, err)
	for _, address := range []string{
		"",
		"--help",
		"file:///etc/passwd",
		"javascript:alert(1)",
		"data:text/html,x",
		"ms-settings:x",
		"vbscript://login.example.com/x",
		"//login.example.com/",
		"http://login.example.com/authorize",
		"http://localhost.example.com/",
		"https://user:word@login.example.com/",
		"https://login.example.com/a b",
		"https://login.example.com/\nx",
		"https://login.example.com/\u202e",
	} {
		require.ErrorContains(t, signin.CheckPage(address), "authorization page", address)
		require.Error(t, browser(t.Context(), address), address)
	}
	_, err = os.Stat(filepath.Join(filepath.Dir(path), "arguments"))
	require.ErrorIs(t, err, os.ErrNotExist, "the browser was not run")
}

func TestCheckPageAccepts(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"https://login.example.com/a?b=c",
		"http://localhost:8400/a",
		"http://[::1]:8400/a",
		"http://127.0.0.1/",
	} {
		require.NoError(t, signin.CheckPage(address), address)
	}
}
