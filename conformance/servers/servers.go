package servers

import (
	"context"
	"testing"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/checks"
	"mcpentra/conformance/servers/internal/bench"
)

// Checks are all checks of servers, and those of the authorization server that a server names.
func Checks() []Check { return checks.All() }

// Run tries the checks against a server, one after the other. Its error says that nothing could be
// run, or that the context ended before the last check. What the checks found is in the report.
func Run(ctx context.Context, target Target, selection check.Selection) (*check.Report, error) {
	selected, err := check.Select(checks.All(), selection)
	if err != nil {
		return nil, err
	}
	report, err := check.Run(ctx, target.Bind(selected...), selection.Progress)
	report.Target = target.URL
	return report, err
}

// Test tries all checks against a server, or only those whose IDs are given or begin with what is
// given. The disruptive checks are among them, unless the target is fragile. Each check has a
// parallel subtest of its name, which fails where a MUST, a SHOULD or a policy is not kept, and
// where the check could not be done. A check whose needs the target does not supply is skipped with
// the reason.
func Test(t *testing.T, target Target, only ...string) {
	t.Helper()
	selected, err := check.Select(checks.All(), check.Selection{IDs: only, Disruptive: true})
	if err != nil {
		t.Fatal(err)
	}
	check.Test(t, target.Bind(selected...))
}

// A Check is a rule for servers, and how to try it.
type Check = bench.Check
