package conformance

import (
	"errors"
	"testing"

	"mcpentra/conformance/checks"
	"mcpentra/conformance/engine"
)

// Test tries all checks against a server, the disruptive ones too, each in a parallel subtest of its name, one for each revision where the rule is tried at several. Who tests
// a server of their own holds it to everything: a broken SHOULD and a policy that is not followed fail the subtest as a broken MUST does. A check that cannot be done fails it
// too, and one whose needs the target does not supply is skipped with the reason.
func Test(t *testing.T, target engine.Target, only ...string) {
	t.Helper()
	selected, err := engine.Select(checks.All(), engine.Selection{IDs: only, Disruptive: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range selected {
		t.Run(check.ID, func(t *testing.T) {
			t.Parallel()
			for _, result := range engine.Run(t.Context(), check, target) {
				if !check.EachRevision {
					judge(t, result)
					continue
				}
				t.Run(string(result.Revision), func(t *testing.T) { judge(t, result) })
			}
		})
	}
}

func judge(t *testing.T, result engine.Result) {
	t.Helper()
	var mismatch *engine.Mismatch
	switch {
	case result.Verdict == engine.Pass:
	case result.Verdict == engine.Skip:
		t.Skip(result.Err)
	case errors.As(result.Err, &mismatch):
		level := string(result.Check.Level)
		if result.Insecure() {
			level += ", insecure"
		}
		t.Errorf("%s (%s)\nrule: %s\nfrom: %s\nwant: %s\n got: %s\n%s", result.Name(), level, result.Check.Sentence, result.Check.Reference, mismatch.Want, mismatch.Got, mismatch.Exchange)
	default:
		t.Errorf("%s: %v", result.Name(), result.Err)
	}
}
