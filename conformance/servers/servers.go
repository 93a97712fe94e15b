package servers

import (
	"context"
	"testing"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/checks"
	"mcpentra/conformance/servers/internal/bench"
)

// Checks returns all checks of servers and of the authorization servers that they name.
func Checks() []Check { return checks.All() }

// Look looks at the target as the checks will see it, and keeps the result in the target for Run
// and Test. The error is an *Unusable if the target is unreachable or not an MCP endpoint.
func Look(ctx context.Context, target *Target) (*Survey, error) { return target.Survey(ctx) }

// Reach sends one request without a token. The error is an *Unusable if the target is unreachable
// or not an MCP endpoint.
func Reach(ctx context.Context, target Target) error {
	_, err := target.Reach(ctx)
	return err
}

// Run tries the checks against a server. The report has what they found. An error means that no
// check was selected, that the target cannot be tested (*Unusable), or that the context ended
// before the last check.
func Run(ctx context.Context, target Target, selection check.Selection) (*check.Report, error) {
	selected, err := check.Select(checks.All(), selection)
	if err != nil {
		return nil, err
	}
	if _, err := target.Survey(ctx); err != nil {
		return nil, err
	}
	report, err := check.Run(ctx, target.Bind(selected...), selection)
	report.Target = target.URL
	return report, err
}

// Test tries all checks against a server, or only those whose IDs begin with one of the given IDs.
// It includes the disruptive checks, unless the target is fragile.
//
// The first answer of a server may take 30 seconds, if the target says nothing else.
//
// A target that cannot be tested, and inputs that cannot be used, fail the test itself.
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
	survey, err := target.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, trouble := range survey.Troubles {
		t.Error(trouble)
	}
	for _, remark := range survey.Remarks {
		t.Log(remark)
	}
	check.Test(t, target.Bind(selected...))
}

// A Check is a rule for servers, with a func that tries it.
type Check = bench.Check

// A Survey is the first look at a target: which revisions it speaks, what it asks for, and which
// inputs cannot be used.
type Survey = bench.Survey

// A Trouble is an input that cannot be used. The reason is one line.
type Trouble = bench.Trouble

// Authorization is the kind of credentials that a server asks for.
type Authorization = bench.Authorization

// The kinds of credentials.
const (
	AsksForTokens  = bench.AsksForTokens
	AsksForNothing = bench.AsksForNothing
	AsksForKey     = bench.AsksForKey
)

// Unusable means that the target cannot be tested. The reason is one line, and says what to do.
type Unusable = bench.Unusable
