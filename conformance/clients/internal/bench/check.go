package bench

import (
	"context"
	"os"
	"slices"
	"time"

	"mcpentra/conformance/check"
)

// A Check is a rule for clients, with a func that tries it.
type Check struct {
	check.Rule
	// Abilities that the check needs.
	Abilities []Ability
	// Needs are what the client must do when nothing is wrong. Getting a token is always needed.
	Needs []Need
	// Run tries the rule.
	Run func(ctx context.Context, p *Probe) error
}

// timeout bounds a check. A check runs the client several times.
const timeout = 3 * time.Minute

// Bind binds checks to the target.
func (t Target) Bind(checks ...Check) []check.Bound {
	looks := &Looks{reporter: t.reporter(checks)}
	bound := make([]check.Bound, 0, len(checks))
	for _, current := range checks {
		lacking := ""
		if ability := t.lacking(&current); ability != "" {
			lacking = "a client that claims the ability " + string(ability)
		}
		bound = append(bound, check.Bound{
			Rule:    current.Rule,
			Lacking: lacking,
			Claimed: t.Revisions,
			Timeout: timeout,
			Try: func(ctx context.Context, revision check.Revision) error {
				state, err := os.MkdirTemp("", "mcp-auth-conformance-")
				if err != nil {
					return err
				}
				defer os.RemoveAll(state)
				return current.Run(ctx, &Probe{
					Target:   t,
					Revision: revision,
					Rule:     current.Rule,
					State:    state,
					Looks:    looks,
				})
			},
		})
	}
	return bound
}

// reporter returns the ID of the check that reports a client that cannot be judged: the first of
// level MUST that applies to the target, or the first of any level.
func (t Target) reporter(checks []Check) string {
	first := ""
	for _, current := range checks {
		applies := func(revision check.Revision) bool {
			return len(current.Revisions) == 0 || slices.Contains(current.Revisions, revision)
		}
		if t.lacking(&current) != "" || len(t.Revisions) > 0 && !slices.ContainsFunc(t.Revisions, applies) {
			continue
		}
		if current.Level == check.Must {
			return current.ID
		}
		if first == "" {
			first = current.ID
		}
	}
	return first
}

// Run tries one check against a client.
func Run(ctx context.Context, c Check, target Target) []check.Result {
	return target.Bind(c)[0].Run(ctx)
}
