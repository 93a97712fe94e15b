package catalogue

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHowTestedKnowsChecks(t *testing.T) {
	t.Parallel()
	assert.Contains(t, HowTested("server/token/expired"), "expired long ago")
	assert.Empty(t, HowTested("server/token"))
	assert.Contains(t, Tested(), "server/token/expired")
}

func TestReadTestsNamesFileAndLine(t *testing.T) {
	t.Parallel()
	const good = "server/token/expired\tSends an expired token.\n"
	all, err := readTests("t.tsv", "# a comment\n"+good)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"server/token/expired": "Sends an expired token."}, all)
	for _, test := range []struct{ name, line, want string }{
		{"no sentence", "server/token/garbage\t-\n", "t.tsv:2: want an ID and sentences"},
		{"no ID", "-\tSends garbage.\n", "t.tsv:2: want an ID and sentences"},
		{"one column", "server/token/garbage\n", "t.tsv:2: want 2 columns"},
		{"a check twice", good, "t.tsv:2: want each check once, got server/token/expired again"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := readTests("t.tsv", good+test.line)
			assert.ErrorContains(t, err, test.want)
		})
	}
}
