package foreign

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gkampitakis/go-snaps/snaps"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
)

// Compare compares the verdicts of a report with the snapshot of the target. Each failure needs
// a line in proofs.tsv with the sentence that proves it.
func Compare(t *testing.T, target string, report *check.Report) {
	t.Helper()
	var verdicts strings.Builder
	proofs := proofsOf(t, target)
	failed := map[string]bool{}
	for _, result := range report.Results {
		if result.Verdict == check.Pass || result.Verdict == check.Skip {
			continue
		}
		fmt.Fprintf(&verdicts, "%-5s %s\n", result.Verdict, result.Name())
		if result.Verdict == check.Fail {
			failed[result.Rule.ID] = true
			assert.Contains(t, proofs, result.Rule.ID, "%v", result.Err)
		}
		assert.NotEqual(t, check.Error, result.Verdict, "%s: %v", result.Name(), result.Err)
	}
	for id := range proofs {
		assert.True(t, failed[id], "proofs.tsv has a line for %s, which does not fail", id)
	}
	snapshots := filepath.Join(folder(), "..", "..", "snapshots")
	snaps.WithConfig(snaps.Dir(snapshots), snaps.Filename("foreign-"+target), snaps.Ext(".txt")).
		MatchStandaloneSnapshot(t, verdicts.String())
}

// proofsOf returns the sentences that prove the failures of a target, by the ID of the check.
func proofsOf(t *testing.T, target string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder(), "proofs.tsv"))
	require.NoError(t, err)
	proofs := map[string]string{}
	for line := range strings.Lines(string(text)) {
		columns := strings.SplitN(strings.TrimSpace(line), "\t", 3)
		if columns[0] == target && assert.Len(t, columns, 3, "want a target, an ID and a sentence: %s", line) {
			proofs[columns[1]] = columns[2]
		}
	}
	return proofs
}
