package catalogue

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadEntriesNamesFileAndLine(t *testing.T) {
	t.Parallel()
	const good = "RS-001\tattack\thigh\t2025-06-18,2025-11-25\tA sentence.\t-\n"
	reasons := map[string]string{"known": "because"}
	entries, err := readEntries("x.tsv", "# a comment\n"+good, reasons)
	assert.NoError(t, err)
	assert.Len(t, entries, 1)
	for _, test := range []struct{ name, line, want string }{
		{"a missing column", "RS-001\tattack\thigh\t-\tA sentence.\n", "x.tsv:2: want 6 columns"},
		{"an unknown level", "RS-001\tmust\t-\t-\tA sentence.\t-\n", "x.tsv:2: want the level"},
		{"an unknown severity", "RS-001\tMUST\tbad\t-\tA sentence.\t-\n", "x.tsv:2: want the severity"},
		{"an unknown revision", "RS-001\tMUST\t-\t2025\tA sentence.\t-\n", "x.tsv:2: want revisions"},
		{
			"an unknown reason",
			"RS-001\tMUST\t-\t-\tA sentence.\tother\n",
			`x.tsv:2: want a reason of reasons.tsv, got "other"`,
		},
		{"no sentence", "RS-001\tMUST\t-\t-\t-\t-\n", "x.tsv:2: want an ID and a sentence"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := readEntries("x.tsv", good+test.line, reasons)
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestReadEntriesTellsPartFromWhole(t *testing.T) {
	t.Parallel()
	reasons := map[string]string{"part": "partly: the rest", "whole": "because"}
	const lines = "RS-001\tattack\tlow\t-\tA.\tpart\nRS-002\tattack\tlow\t-\tB.\twhole\n"
	entries, err := readEntries("x.tsv", lines, reasons)
	require.NoError(t, err)
	assert.Equal(t, "the rest", entries[0].LeftOut)
	assert.Empty(t, entries[0].Elsewhere)
	assert.Equal(t, "because", entries[1].Elsewhere)
	assert.Empty(t, entries[1].LeftOut)
}

func TestReadReasonsRefusesNameTwice(t *testing.T) {
	t.Parallel()
	_, err := readReasons("r.tsv", "a\tone\na\ttwo\n")
	assert.ErrorContains(t, err, "r.tsv:2: want a new name")
}

func TestReadAdvisoriesNamesFileAndLine(t *testing.T) {
	t.Parallel()
	const good = "CVE-1,GHSA-2\tsome server\tIt fell.\tserver/token/expired = accepts expired tokens; TestX\t-\n"
	found, err := readAdvisories("a.tsv", "# a comment\n"+good)
	require.NoError(t, err)
	assert.Equal(t, []string{"CVE-1", "GHSA-2"}, found[0].Names)
	replays := []Replay{{Check: "server/token/expired", Twin: "accepts expired tokens"}, {Test: "TestX"}}
	assert.Equal(t, replays, found[0].Replays)
	_, err = readAdvisories("a.tsv", good+"CVE-3\tsome server\tIt fell.\tserver/token/expired\t-\n")
	assert.ErrorContains(t, err, `a.tsv:2: want the name of a test or "check = twin", got "server/token/expired"`)
	_, err = readAdvisories("a.tsv", "CVE-3\t-\tIt fell.\tTestX\t-\n")
	assert.ErrorContains(t, err, "a.tsv:1: want names, software and a sentence")
}
