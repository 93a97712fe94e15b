package check

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
)

// Test tries each check in a parallel subtest with its ID, and below it in a subtest for each
// revision if the rule has EachRevision. A broken SHOULD or policy fails the subtest, like a broken
// MUST. So does a check that could not be completed. A check that needs something the target lacks
// is skipped with the reason.
func Test(t *testing.T, checks []Bound) {
	t.Helper()
	for _, current := range checks {
		t.Run(current.ID, func(t *testing.T) {
			if !current.Alone { // parallel subtests wait for those that are not
				t.Parallel()
			}
			for _, result := range current.Run(t.Context()) {
				if !current.EachRevision || result.Revision == "" {
					judge(t, result)
					continue
				}
				t.Run(string(result.Revision), func(t *testing.T) { judge(t, result) })
			}
		})
	}
}

func judge(t *testing.T, result Result) {
	t.Helper()
	mismatches := result.Mismatches()
	switch {
	case result.Verdict == Pass:
	case result.Verdict == Skip:
		t.Skip(result.Err)
	case len(mismatches) > 0:
		worst := mismatches[0]
		level := string(cmp.Or(worst.Level, result.Rule.Level))
		if result.Severity() != "" {
			level += ", insecure, " + string(result.Severity())
		}
		var others strings.Builder
		for _, other := range mismatches[1:] {
			fmt.Fprintf(&others, "also: want %s, got %s\n", other.Want, other.Got)
		}
		t.Errorf("%s (%s)\nrule: %s\nfrom: %s\nwant: %s\n got: %s\n%s%s",
			result.Name(), level, result.Rule.Sentence, result.Rule.Reference,
			worst.Want, worst.Got, others.String(), worst.Exchange)
	default:
		t.Errorf("%s: %v", result.Name(), result.Err)
	}
}
