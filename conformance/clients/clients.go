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

// Run tries checks against a client. Clients that listen at a fixed port run one at a time. Run
// returns an error without a report if the selection is empty, or if the client sends no request.
// If the context ends before the last check, it returns an error, and a report with the results so
// far.
func Run(ctx context.Context, target Target, selection check.Selection) (*check.Report, error) {
	selected, err := check.Select(checks.All(), selection)
	if err != nil {
		return nil, err
	}
	if err := firstLook(ctx, target, &selection); err != nil {
		return nil, err
	}
	report, err := check.Run(ctx, target.Bind(selected...), selection)
	report.Target = target.Name
	return report, err
}

// firstLook runs the client before the checks. It returns an error if the client sends no request.
// It forbids parallel checks if the client listens at a fixed port.
func firstLook(ctx context.Context, target Target, selection *check.Selection) error {
	look, err := checks.First(ctx, &target)
	if err != nil || selection.Parallel < 2 || look.Redirect == "" {
		return err
	}
	again, err := checks.First(ctx, &target)
	if again.Redirect == look.Redirect {
		selection.Parallel = 1
	}
	return err
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
