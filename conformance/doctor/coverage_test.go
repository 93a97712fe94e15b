package doctor_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor/aadsts"
)

// coverageRows matches the rows of coverage.md that are about an error.
var coverageRows = regexp.MustCompile(`(?m)^\| ([0-9]+) \| (.+) \|$`)

// TestCoverageListsEveryError wants each known error of Entra ID in one of the two tables of
// coverage.md: with the deployments that show it, or with the reason why no deployment can.
func TestCoverageListsEveryError(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("coverage.md")
	require.NoError(t, err)
	seen, unseen, found := strings.Cut(string(text), "## Errors that it cannot see")
	require.True(t, found)
	listed := map[int]bool{}
	rowsOf := func(part string, each func(number int, cell string)) {
		for _, row := range coverageRows.FindAllStringSubmatch(part, -1) {
			number, err := strconv.Atoi(row[1])
			require.NoError(t, err)
			assert.False(t, listed[number], "%d is listed twice", number)
			listed[number] = true
			each(number, row[2])
		}
	}
	shown := map[string][]int{} // by deployment
	rowsOf(seen, func(number int, cell string) {
		for name := range strings.SplitSeq(cell, ", ") {
			name = strings.Trim(name, "`")
			shown[name] = append(shown[name], number)
		}
	})
	rowsOf(unseen, func(number int, reason string) {
		assert.Greater(t, len(reason), 20, "%d: want a reason", number)
		explanation, isKnown := aadsts.Explain(number)
		isAfter := strings.HasPrefix(reason, "After the sign-in:")
		assert.False(t, isKnown && isAfter && explanation.Shows == aadsts.AtAuthorization,
			"%d shows at the authorization endpoint, and its reason is %q", number, reason)
	})
	for _, number := range knownErrors(t) {
		assert.True(t, listed[number], "%d is missing", number)
	}
	names := map[string]deployment{}
	for _, broken := range deployments() {
		assert.NotContains(t, names, broken.name, "two deployments of one name")
		names[broken.name] = broken
	}
	assert.GreaterOrEqual(t, len(names), 25)
	for name := range shown {
		assert.Contains(t, names, name, "coverage.md names a deployment that does not exist")
	}
	for name, broken := range names {
		for _, code := range broken.want {
			if number, isError := strings.CutPrefix(code, "aadsts-"); isError {
				wanted, err := strconv.Atoi(number)
				require.NoError(t, err)
				assert.Contains(t, shown[name], wanted, "coverage.md lacks the deployment %s", name)
			}
		}
	}
	for _, name := range regexp.MustCompile("`((?:broker|direct|foreign|nginx|caddy|tls)-[a-z-]+)`").
		FindAllStringSubmatch(string(text), -1) {
		assert.Contains(t, names, name[1])
	}
}

// knownErrors returns the numbers of the errors in testdata/entra.
func knownErrors(t *testing.T) []int {
	t.Helper()
	var known []int
	for file, key := range map[string]string{"errors.json": "Errors", "error-texts.json": "Texts"} {
		text, err := os.ReadFile("../../testdata/entra/" + file)
		require.NoError(t, err)
		var content map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(text, &content))
		var rows []struct{ Number int }
		require.NoError(t, json.Unmarshal(content[key], &rows))
		for _, row := range rows {
			known = append(known, row.Number)
		}
	}
	slices.Sort(known)
	known = slices.Compact(known)
	require.Greater(t, len(known), 100)
	return known
}
