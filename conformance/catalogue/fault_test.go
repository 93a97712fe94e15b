package catalogue

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCaughtByFindsFaults(t *testing.T) {
	t.Parallel()
	var sentences []string
	for _, fault := range CaughtBy("server/token/expired") {
		assert.Equal(t, Server, fault.Role)
		sentences = append(sentences, fault.Sentence)
	}
	assert.Contains(t, sentences, "accepts expired tokens")
	assert.Empty(t, CaughtBy("server/token"))
}

func TestReadFaultsNamesFileAndLine(t *testing.T) {
	t.Parallel()
	const good = "server\ttoken\taccepts expired tokens\tserver/token/expired,server/token/cached-expiry\n"
	all, err := readFaults("f.tsv", "# a comment\n"+good)
	require.NoError(t, err)
	checks := []string{"server/token/expired", "server/token/cached-expiry"}
	assert.Equal(t, []Fault{{Server, "token", "accepts expired tokens", checks}}, all)
	for _, test := range []struct{ name, line, want string }{
		{"an unknown role", "proxy\ttoken\tbreaks\tserver/token/expired\n", "f.tsv:2: want server, client or"},
		{"no sentence", "server\ttoken\t-\tserver/token/expired\n", "f.tsv:2: want a group, a sentence and checks"},
		{"no check", "server\ttoken\tbreaks\t-\n", "f.tsv:2: want a group, a sentence and checks"},
		{"an empty check", "server\ttoken\tbreaks\ta,,b\n", "f.tsv:2: want a group, a sentence and checks"},
		{"a fault twice", good, `f.tsv:2: want each fault once, got "server accepts expired tokens" again`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := readFaults("f.tsv", good+test.line)
			assert.ErrorContains(t, err, test.want)
		})
	}
}
