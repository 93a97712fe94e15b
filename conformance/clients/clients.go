package clients

import (
	"context"
	"testing"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/checks"
	"mcpentra/conformance/clients/internal/bench"
)

// Checks returns all checks of clients.
func Checks() []Check { return checks.All() }

// Run tries checks against a client. It returns an error if the selection is empty, or
// if the context ended before the last check; the report then holds the results so far.
func Run(ctx context.Context, target Target, selection check.Selection) (*check.Report, error) {
	selected, err := check.Select(checks.All(), selection)
	if err != nil {
		return nil, err
	}
	report, err := check.Run(ctx, target.Bind(selected...), selection)
	report.Target = target.Name
	return report, err
}

// Test tries all checks against a client, or only those whose IDs begin with one of the given IDs.
// Each check has a parallel subtest with its ID. The subtest fails if a MUST, a SHOULD or a policy
// is broken, or if the check could not be completed. A check that needs an ability that the target
// does not claim is skipped.
func Test(t *testing.T, target Target, only ...string) {
	t.Helper()
	selected, err := check.Select(checks.All(), check.Selection{IDs: only, Disruptive: true})
	if err != nil {
		t.Fatal(err)
	}
	check.Test(t, target.Bind(selected...))
}

// A Check is a rule for clients, with a func that tries it.
type Check = bench.Check
