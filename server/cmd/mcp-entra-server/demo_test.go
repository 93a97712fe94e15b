package main_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/gkampitakis/go-snaps/snaps"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDemo holds what a newcomer reads after `make demo`, and that the top README shows it word for word.
func TestDemo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	demo := exec.CommandContext(ctx, "../../../testdata/demo/run", programs)
	demo.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}
	var output bytes.Buffer
	demo.Stdout, demo.Stderr = &output, &output
	require.NoError(t, demo.Run(), output.String())
	transcript := steady(output.String())
	require.True(t, strings.HasSuffix(transcript, "\nUser name is Adele Vance\n"), transcript)
	snaps.WithConfig(snaps.Dir("../../../testdata/snapshots"), snaps.Filename("demo"), snaps.Ext(".txt")).MatchStandaloneSnapshot(t, transcript)
	readme, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	assert.Contains(t, string(readme), "```text\n"+transcript+"```\n")
}

// steady replaces what differs from run to run: ports by the conventional ones, random values by an ellipsis.
func steady(transcript string) string {
	var pairs []string
	for pattern, port := range map[string]string{`fakeentra +http://`: "8400", `mcp-entra-server +http://`: "8000", `waiting for the answer at http://`: "41234"} {
		if found := regexp.MustCompile(pattern + `localhost:(\d+)`).FindStringSubmatch(transcript); found != nil {
			pairs = append(pairs, "localhost:"+found[1], "localhost:"+port, "localhost%3A"+found[1], "localhost%3A"+port)
		}
	}
	transcript = strings.NewReplacer(pairs...).Replace(transcript)
	for _, random := range []string{`client ID: (\S+)`, `client_id=([^&\s]+)`, `code_challenge=([^&\s]+)`, `state=([^&\s]+)`, `Connected to \S+ (\S+),`} {
		transcript = regexp.MustCompile(random).ReplaceAllStringFunc(transcript, func(found string) string {
			value := regexp.MustCompile(random).FindStringSubmatch(found)[1]
			return strings.Replace(found, value, "…", 1)
		})
	}
	return transcript
}
