package main_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gkampitakis/go-snaps/snaps"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDemo holds what a newcomer reads after `make demo`, and that the top README shows it word for
// word.
func TestDemo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	demo := exec.CommandContext(ctx, "../../../testdata/demo/run", programs)
	demo.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}
	var output bytes.Buffer
	demo.Stdout = &output
	demo.Stderr = &output
	require.NoError(t, demo.Run(), output.String())
	transcript := steady(output.String())
	require.True(t, strings.HasSuffix(transcript, "\nUser name is Adele Vance\n"), transcript)
	snaps.WithConfig(snaps.Dir("../../../testdata/snapshots"), snaps.Filename("demo"), snaps.Ext(".txt")).
		MatchStandaloneSnapshot(t, transcript)
	readme, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	assert.Contains(t, string(readme), "```text\n"+transcript+"```\n")
}

// TestLive runs `make live`, as a person with a tenant does. The fake replaces the tenant. The
// caller's own settings change nothing, and no file is left behind.
func TestLive(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	home := t.TempDir()
	temporary := t.TempDir()
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(programs, filepath.Join(folder, "bin")))
	for _, part := range []string{"Makefile", "testdata"} {
		require.NoError(t, os.Symlink(filepath.Join(root, part), filepath.Join(folder, part)))
	}
	live := func() (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		command := exec.CommandContext(ctx, "make", "-s", "-o", "build", "live")
		command.Dir = folder
		command.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + temporary, "BROWSER=bin/fakeentra visit",
			"MCP_URL=http://localhost:1/mcp", "MCP_CLIENT_ID=another", "AUTH_TENANT_ID=another", "STORE_URL=another",
		}
		output, err := command.CombinedOutput()
		return string(output), err
	}
	output, err := live()
	require.Error(t, err)
	assert.Contains(t, output, "make live: no .env here")

	fake := serving(t, shell(t, folder, "fakeentra --addr localhost:0 --quiet --write-env .env"))
	settings, err := os.OpenFile(filepath.Join(folder, ".env"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = settings.WriteString("MCP_ADDR=localhost:0\n")
	require.NoError(t, err)
	require.NoError(t, settings.Close())
	output, err = live()
	require.NoError(t, err, output)
	assert.Contains(t, output, "\nUser name is Adele Vance\n")
	assert.NotContains(t, output, fake.url, "the client knows nothing of the tenant")
	for _, left := range []string{home, temporary} {
		files, err := os.ReadDir(left)
		require.NoError(t, err)
		assert.Empty(t, files)
	}
}

// steady makes transcripts of two runs equal: it replaces ports by the conventional ones, and
// random values by an ellipsis.
func steady(transcript string) string {
	var pairs []string
	for pattern, port := range map[string]string{
		`fakeentra +http://`:                "8400",
		`mcp-entra-server +http://`:         "8000",
		`waiting for the answer at http://`: "41234",
	} {
		if found := regexp.MustCompile(pattern + `localhost:(\d+)`).FindStringSubmatch(transcript); found != nil {
			pairs = append(pairs, "localhost:"+found[1], "localhost:"+port)
			pairs = append(pairs, "localhost%3A"+found[1], "localhost%3A"+port)
		}
	}
	transcript = strings.NewReplacer(pairs...).Replace(transcript)
	for _, random := range []string{
		`client ID: (\S+)`,
		`client_id=([^&\s]+)`,
		`code_challenge=([^&\s]+)`,
		`state=([^&\s]+)`,
		`Connected to \S+ (\S+),`,
	} {
		transcript = regexp.MustCompile(random).ReplaceAllStringFunc(transcript, func(found string) string {
			value := regexp.MustCompile(random).FindStringSubmatch(found)[1]
			return strings.Replace(found, value, "…", 1)
		})
	}
	return transcript
}
