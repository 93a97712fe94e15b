package signin_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/signin"
)

// recorder is a program that writes its arguments to a file, one a line, and ends with a status.
func recorder(t *testing.T, status string) (program string, arguments func() []string) {
	dir := t.TempDir()
	program = filepath.Join(dir, "a browser")
	file := filepath.Join(dir, "arguments")
	script := "#!/bin/sh\nprintf '%s\\n' \"$@\" >'" + file + "'\nexit " + status + "\n"
	syscall.ForkLock.RLock() // a child of another test would keep the file open for writing, and so from being run
	err := os.WriteFile(program, []byte(script), 0o700)
	syscall.ForkLock.RUnlock()
	require.NoError(t, err)
	return program, func() []string {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
}

func TestBrowserCommandIsSplitAndNotRunByAShell(t *testing.T) {
	t.Parallel()
	const page = "https://login.example.com/authorize?a=b&c=$(id)`id`;id"
	for name, c := range map[string]struct {
		rest string
		want []string
	}{
		"nothing more":        {"", nil},
		"words":               {" --new-window  -P work\t", []string{"--new-window", "-P", "work"}},
		"single quotes":       {` 'a b' '\' ''`, []string{"a b", `\`, ""}},
		"double quotes":       {` "a 'b'" "say \"hi\""`, []string{"a 'b'", `say "hi"`}},
		"backslashes":         {` a\ b \$HOME`, []string{"a b", "$HOME"}},
		"quotes inside words": {` --x='a b'"c"`, []string{"--x=a bc"}},
		"what a shell acts on": {
			" $HOME $(id) `id` ; id && id | id > /dev/null * ~",
			[]string{"$HOME", "$(id)", "`id`", ";", "id", "&&", "id", "|", "id", ">", "/dev/null", "*", "~"},
		},
		"per cent signs, without a place": {" 100%% %c", []string{"100%%", "%c"}},
		"an address":                      {" http://login.example.com/", []string{"http://login.example.com/"}},
		"a colon in quotes":               {" 'a:b' c\\:d", []string{"a:b", "c:d"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, arguments := recorder(t, "0")
			browser, err := signin.OpenWith("'" + program + "'" + c.rest)
			require.NoError(t, err)
			require.NoError(t, browser(t.Context(), page))
			assert.Equal(t, append(c.want, page), arguments())
		})
	}
}

func TestThePlaceOfTheAddress(t *testing.T) {
	t.Parallel()
	const page = "https://login.example.com/authorize?a=b%20c&d=%s&e=$(id)"
	for rest, want := range map[string][]string{
		" %s":                    {page},
		" --new-window %s -x":    {"--new-window", page, "-x"},
		" --url=%s":              {"--url=" + page},
		" '%s' 100%%":            {page, "100%"},
		" -c 'run \"$1\"' sh %s": {"-c", `run "$1"`, "sh", page},
		" %%s":                   {"%%s", page},
	} {
		program, arguments := recorder(t, "0")
		browser, err := signin.OpenWith("'" + program + "'" + rest)
		require.NoError(t, err, rest)
		require.NoError(t, browser(t.Context(), page), rest)
		assert.Equal(t, want, arguments(), rest)
	}
	for _, command := range []string{"sh -c 'firefox %s'", `sh -c "firefox;%s"`, "sh -c firefox\\ %s", "%s", "''"} {
		_, err := signin.OpenWith(command)
		require.Error(t, err, command)
	}
}

func TestTheFirstBrowserThatWorksIsTaken(t *testing.T) {
	t.Parallel()
	const page = "https://login.example.com/authorize"
	fails, failed := recorder(t, "3")
	works, worked := recorder(t, "0")
	browser, err := signin.OpenWith("/nonexistent/browser:'" + fails + "' %s::'" + works + "' -x:/nonexistent/other")
	require.NoError(t, err)
	require.NoError(t, browser(t.Context(), page))
	assert.Equal(t, []string{page}, failed())
	assert.Equal(t, []string{"-x", page}, worked())

	var notOpened *signin.NotOpenedError
	browser, err = signin.OpenWith("/nonexistent/browser:/nonexistent/other")
	require.NoError(t, err)
	err = browser(t.Context(), page)
	require.ErrorAs(t, err, &notOpened, "a person can still open the page")
	assert.ErrorContains(t, err, "/nonexistent/other")

	browser, err = signin.OpenWith("/nonexistent/browser:'" + fails + "'")
	require.NoError(t, err)
	err = browser(t.Context(), page)
	require.ErrorContains(t, err, "ended with status 3")
	assert.NotErrorAs(t, err, &notOpened, "there is no point in waiting")
}

func TestBrowserCommandsThatAreWrong(t *testing.T) {
	t.Parallel()
	for _, command := range []string{`firefox "`, `firefox '`, `firefox \`} {
		_, err := signin.OpenWith(command)
		require.ErrorContains(t, err, "BROWSER", command)
	}
	missing, err := signin.OpenWith("/nonexistent/browser")
	require.NoError(t, err)
	require.ErrorContains(t, missing(t.Context(), "https://login.example.com/"), "could not be started")
}

func TestBrowserThatFails(t *testing.T) {
	t.Parallel()
	program, _ := recorder(t, "3")
	browser, err := signin.OpenWith("'" + program + "'")
	require.NoError(t, err)
	require.ErrorContains(t, browser(t.Context(), "https://login.example.com/"), "ended with status 3")
}

func TestBrowserMayOutliveTheSignIn(t *testing.T) {
	t.Parallel()
	program, _ := recorder(t, "0")
	browser, err := signin.OpenWith("'" + program + "'")
	require.NoError(t, err)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, browser(over, "https://login.example.com/"))
}

func TestPagesThatABrowserIsNotGiven(t *testing.T) {
	t.Parallel()
	program, _ := recorder(t, "0")
	browser, err := signin.OpenWith("'" + program + "'")
	require.NoError(t, err)
	for _, address := range []string{
		"http://login.example.com/authorize", "file:///etc/passwd", "javascript:alert(1)", "data:text/html,x", "--help", "", "ms-settings:x",
		"https://user:word@login.example.com/", "https://login.example.com/a b", "https://login.example.com/\nx", "https://login.example.com/\u202e",
		"vbscript://login.example.com/x", "http://localhost.example.com/", "//login.example.com/",
	} {
		require.Error(t, signin.CheckPage(address), address)
		require.Error(t, browser(t.Context(), address), address)
	}
	_, err = os.Stat(filepath.Join(filepath.Dir(program), "arguments"))
	require.ErrorIs(t, err, os.ErrNotExist, "it was never run")
	for _, address := range []string{"https://login.example.com/a?b=c", "http://localhost:8400/a", "http://[::1]:8400/a", "http://127.0.0.1/"} {
		require.NoError(t, signin.CheckPage(address), address)
	}
}
