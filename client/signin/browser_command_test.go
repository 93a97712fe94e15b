package signin_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/signin"
)

func TestOpenWithSplitsCommandWithoutShell(t *testing.T) {
	t.Parallel()
	const page = login + "/authorize?a=b&c=$(id)`id`;id"
	for _, c := range []struct {
		name, rest string
		want       []string
	}{
		{"program alone", "", nil},
		{"words", " --new-window  -P work\t", []string{"--new-window", "-P", "work"}},
		{"single quotes", ` 'a b' '\' ''`, []string{"a b", `\`, ""}},
		{"double quotes", ` "a 'b'" "say \"hi\""`, []string{"a 'b'", `say "hi"`}},
		{"backslashes", ` a\ b \$HOME`, []string{"a b", "$HOME"}},
		{"quotes inside words", ` --x='a b'"c"`, []string{"--x=a bc"}},
		{
			"shell code",
			" $HOME $(id) `id` ; id && id | id > /dev/null * ~",
			[]string{"$HOME", "$(id)", "`id`", ";", "id", "&&", "id", "|", "id", ">", "/dev/null", "*", "~"},
		},
		{"per cent signs without a placeholder", " 100%% %c", []string{"100%%", "%c"}},
		{"address", " http://login.example.com/", []string{"http://login.example.com/"}},
		{"quoted colon", " 'a:b' c\\:d", []string{"a:b", "c:d"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path, arguments := recordingProgram(t, "0")
			browser, err := signin.OpenWith("'" + path + "'" + c.rest)
			require.NoError(t, err)
			require.NoError(t, browser(t.Context(), page))
			assert.Equal(t, append(c.want, page), arguments())
		})
	}
}

func TestOpenWithReplacesPlaceholder(t *testing.T) {
	t.Parallel()
	const page = login + "/authorize?a=b%20c&d=%s&e=$(id)"
	for _, c := range []struct {
		rest string
		want []string
	}{
		{" %s", []string{page}},
		{" --new-window %s -x", []string{"--new-window", page, "-x"}},
		{" --url=%s", []string{"--url=" + page}},
		{" '%s' 100%%", []string{page, "100%"}},
		{" -c 'run \"$1\"' sh %s", []string{"-c", `run "$1"`, "sh", page}},
		{" %%s", []string{"%%s", page}},
	} {
		path, arguments := recordingProgram(t, "0")
		browser, err := signin.OpenWith("'" + path + "'" + c.rest)
		require.NoError(t, err, c.rest)
		require.NoError(t, browser(t.Context(), page), c.rest)
		assert.Equal(t, c.want, arguments(), c.rest)
	}
}

func TestOpenWithRefusesCommand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ command, text string }{
		{`firefox "`, "a quote or backslash without an end"},
		{`firefox '`, "a quote or backslash without an end"},
		{`firefox \`, "a quote or backslash without an end"},
		{"sh -c 'firefox %s'", "looks like shell code"},
		{`sh -c "firefox;%s"`, "looks like shell code"},
		{"sh -c firefox\\ %s", "looks like shell code"},
		{"%s", "want a program first"},
		{"''", "want a program first"},
	} {
		_, err := signin.OpenWith(c.command)
		require.ErrorContains(t, err, "BROWSER: ", c.command)
		require.ErrorContains(t, err, c.text, c.command)
	}
}
