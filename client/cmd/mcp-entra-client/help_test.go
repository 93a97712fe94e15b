package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gkampitakis/go-snaps/snaps"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestHelpMatchesSnapshot shows a change of --help, of the program or of a verb, in review.
func TestHelpMatchesSnapshot(t *testing.T) {
	t.Parallel()
	text := helpOf(t)
	verbs := newCommand(&interrupts{}).Commands()
	assert.Len(t, verbs, 6)
	for _, verb := range verbs {
		own, global, found := strings.Cut(helpOf(t, verb.Name()), "\nGlobal Flags:\n")
		require.True(t, found, verb.Name())
		for flag := range strings.Lines(global) {
			assert.Contains(t, text, flag, "the program's own help lists the flags of every verb")
		}
		text += "\n$ mcp-entra-client " + verb.Name() + " --help\n" + own
	}
	folder := snaps.Dir("../../../testdata/snapshots")
	snaps.WithConfig(folder, snaps.Filename("client-help"), snaps.Ext(".txt")).MatchStandaloneSnapshot(t, text)
}

func helpOf(t *testing.T, verb ...string) string {
	t.Helper()
	var out bytes.Buffer
	command := newCommand(&interrupts{})
	command.SetOut(&out)
	command.SetArgs(append(verb, "--help"))
	require.NoError(t, command.ExecuteContext(t.Context()))
	return out.String()
}
