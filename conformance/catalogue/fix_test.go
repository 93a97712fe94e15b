package catalogue

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestFixForFindsTopicOfCheck(t *testing.T) {
	t.Parallel()
	fix, found := FixFor("server/token/expired")
	assert.True(t, found)
	assert.Equal(t, Fixes()["server/token"], fix)
	for _, id := range []string{"", "server", "server/", "token/expired", "server/none/expired", "/server/token"} {
		_, found := FixFor(id)
		assert.False(t, found, "FixFor(%q)", id)
	}
}

func TestReadFixesNamesFile(t *testing.T) {
	t.Parallel()
	const good = "server/token:\n  change: Verify.\n"
	for _, test := range []struct{ name, text, want string }{
		{"an unknown member", "server/token:\n  chance: Verify.\n", "x.yaml: "},
		{"a topic twice in a file", good + good, "x.yaml: "},
		{"a topic of another file", "server/keys:\n  change: Cache.\n", "x.yaml: want each topic once"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			all := map[string]Fix{"server/keys": {Change: "Cache."}}
			assert.ErrorContains(t, readFixes(all, "x.yaml", []byte(test.text)), test.want)
		})
	}
}
