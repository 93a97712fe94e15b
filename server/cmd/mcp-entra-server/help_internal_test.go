package main

import (
	"bytes"
	"testing"

	"github.com/gkampitakis/go-snaps/snaps"
	"github.com/stretchr/testify/require"
)

// TestHelpMatchesSnapshot shows a change of --help in review.
func TestHelpMatchesSnapshot(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	command := newCommand()
	command.SetOut(&out)
	command.SetArgs([]string{"--help"})
	require.NoError(t, command.ExecuteContext(t.Context()))
	folder := snaps.Dir("../../../testdata/snapshots")
	snaps.WithConfig(folder, snaps.Filename("server-help"), snaps.Ext(".txt")).MatchStandaloneSnapshot(t, out.String())
}
