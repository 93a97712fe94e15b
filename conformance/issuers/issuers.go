package issuers

import (
	"context"
	"testing"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/checks"
	"mcpentra/conformance/issuers/internal/bench"
)

// Checks returns all checks of authorization servers. The package servers has a few more, which it
// tries at the authorization server that an MCP server names.
func Checks() []Check { return checks.All() }

// Run tries the checks against an authorization server. The report has what they found. An error
// means that no check was selected, that the target cannot be tested (*Unusable), or that the
// context ended before the last check.
func Run(ctx context.Context, target Target, selection check.Selection) (*check.Report, error) {
	selected, err := check.Select(checks.All(), selection)
	if err != nil {
		return nil, err
	}
	if err := target.Reach(ctx); err != nil {
		return nil, err
	}
	report, err := check.Run(ctx, target.Bind(selected...), selection)
	report.Target = target.URL
	return report, err
}

// Test tries all checks against an authorization server, or only those whose IDs begin with one of
// the given IDs. It includes the disruptive checks, unless the target is fragile.
//
// The first answer of a server may take 30 seconds, if the target says nothing else.
//
// Each check is a parallel subtest with its ID as name. It fails if the server breaks a MUST, a
// SHOULD or a policy, and if the check cannot be done. It is skipped with the reason if the target
// does not supply what the check needs.
func Test(t *testing.T, target Target, only ...string) {
	t.Helper()
	selected, err := check.Select(checks.All(), check.Selection{IDs: only, Disruptive: true})
	if err != nil {
		t.Fatal(err)
	}
	if target.FirstAnswer == 0 {
		target.FirstAnswer = 30 * time.Second // for busy machines
	}
	check.Test(t, target.Bind(selected...))
}

// A Check is a rule for authorization servers, with a func that tries it.
type Check = bench.Check
