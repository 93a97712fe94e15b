package main

import (
	"bytes"
	"testing"

	"github.com/gkampitakis/go-snaps/snaps"
	"github.com/stretchr/testify/require"
)

// TestHelpMatchesSnapshot shows changes of --help in review, of the program and of its commands.
func TestHelpMatchesSnapshot(t *testing.T) {
	t.Parallel()
	text := ""
	for _, name := range []string{"", "visit", "directory", "health", "verify", "record"} {
		arguments := []string{"--help"}
		if name != "" {
			arguments = []string{name, "--help"}
		}
		var output bytes.Buffer
		command := newCommand()
		command.SetArgs(arguments)
		command.SetOut(&output)
		require.NoError(t, command.ExecuteContext(t.Context()))
		text += "$ fakeentra " + name + "\n" + output.String() + "\n"
	}
	folder := snaps.Dir("../../../testdata/snapshots")
	snaps.WithConfig(folder, snaps.Filename("fakeentra-help"), snaps.Ext(".txt")).MatchStandaloneSnapshot(t, text)
}
