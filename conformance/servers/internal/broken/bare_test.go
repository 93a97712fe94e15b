package broken_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/checks"
	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/internal/broken"
)

// bareChecks are the checks of bypasses that need no token, but can use one.
func bareChecks() []bench.Check {
	return slices.DeleteFunc(checks.All(), func(current bench.Check) bool {
		isBypass := slices.Contains(current.Covers, "RS-001") || slices.Contains(current.Covers, "RS-011") ||
			slices.Contains(current.Covers, "RS-012") || slices.Contains(current.Covers, "RS-013") ||
			slices.Contains(current.Covers, "RS-014")
		return !isBypass || len(current.Tokens) > 0 || len(current.Needs) > 0
	})
}

// TestBypassesAreCaughtWithoutToken tries servers whose operator gives the checks nothing.
func TestBypassesAreCaughtWithoutToken(t *testing.T) {
	t.Parallel()
	bare := bareChecks()
	faults := map[broken.Fault][]string{}
	for fault, red := range caught("bypass", "credential") {
		isBare := func(id string) bool {
			return slices.ContainsFunc(bare, func(current bench.Check) bool { return current.ID == id })
		}
		if slices.ContainsFunc(red, isBare) {
			faults[fault] = red
		}
	}
	// A session or a canary shows these faults in another way.
	delete(faults, broken.ServesOldVersionWithoutToken)
	faults[broken.IgnoresPathParameters] = []string{"server/credentials/path-variants"}
	forEach(t, faults, func(t *testing.T, fault broken.Fault, red []string) {
		selected := slices.DeleteFunc(slices.Clone(bare), func(current bench.Check) bool {
			return !isFullMatrix() && !slices.Contains(red, current.ID)
		})
		worst := runAll(t, bench.Target{URL: start(t, fault).URL}, selected, red...)
		for _, current := range selected {
			result := worst[current.ID]
			if slices.Contains(red, current.ID) {
				assert.Equal(t, check.Fail, result.Verdict, "%s: %v", current.ID, result.Err)
			} else {
				green := []check.Verdict{check.Pass, check.Skip}
				assert.Contains(t, green, result.Verdict, "%s: %v", current.ID, result.Err)
			}
		}
	})
}

// TestServerWithoutFaultsPassesWithoutToken wants no finding and no skipped check.
func TestServerWithoutFaultsPassesWithoutToken(t *testing.T) {
	t.Parallel()
	for id, result := range runAll(t, bench.Target{URL: start(t).URL}, bareChecks()) {
		if result.Verdict == check.Skip {
			assert.ErrorContains(t, result.Err, "the time for the requests", id) // on a busy machine
			continue
		}
		assert.Equal(t, check.Pass, result.Verdict, "%s: %v", id, result.Err)
	}
}
