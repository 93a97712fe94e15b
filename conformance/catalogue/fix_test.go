package catalogue

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

func TestFixesBelongToTheirCaller(t *testing.T) {
	t.Parallel()
	clear(Fixes())
	assert.NotEmpty(t, Fixes())
}

func TestFixHasAdviceForEachSDK(t *testing.T) {
	t.Parallel()
	for topic, fix := range Fixes() {
		for _, sdk := range SDKs() {
			advice := fix.For(sdk)
			require.Len(t, advice, 1, "%s for %s", topic, sdk)
			assert.Regexp(t, `^\S.*\.$`, advice[0].Text, "%s for %s", topic, sdk)
		}
		assert.Regexp(t, `^[A-Z].*\.$`, fix.General, topic)
		assert.Len(t, fix.For(SDKs()...), len(fix.Advice), topic)
		assert.Empty(t, fix.For("java"), topic)
	}
}

func TestReadFixesNamesFileAndTopic(t *testing.T) {
	t.Parallel()
	const good = "server/token:\n  change: A.\n  general: B.\n  typescript: C.\n" +
		"  fastmcp: D.\n  mcp-go: E.\n  go-sdk: F.\n"
	all := map[string]Fix{}
	require.NoError(t, readFixes(all, "x.yaml", []byte(good)))
	assert.Equal(t, "F.", all["server/token"].For(GoSDK)[0].Text)
	without := func(line string) string { return strings.Replace(good, line, "", 1) }
	for _, test := range []struct{ name, text, want string }{
		{"an unknown member", good + "  chance: X.\n", "x.yaml: "},
		{"a topic twice in a file", good + good, "x.yaml: "},
		{"no change", without("  change: A.\n"), "x.yaml: server/token: want a change in one line"},
		{"no general", without("  general: B.\n"), "x.yaml: server/token: want general"},
		{"an SDK without advice", without("  go-sdk: F.\n"), "x.yaml: server/token: want advice for go-sdk"},
		{"two ways for Go", good + "  go: G.\n", "x.yaml: server/token: want advice for go, or"},
		{
			"a topic of another file",
			strings.Replace(good, "server/token", "server/keys", 1),
			"x.yaml: want each topic once, got server/keys again",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			all := map[string]Fix{"server/keys": {Change: "Cache."}}
			assert.ErrorContains(t, readFixes(all, "x.yaml", []byte(test.text)), test.want)
		})
	}
}
