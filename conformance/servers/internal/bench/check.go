package bench

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/exchange"
)

// A Need is something that a check requires of a target, besides tokens.
type Need string

// The needs of checks.
const (
	IssuerKey     Need = "the issuer's key, to sign tokens"
	TimedTokens   Need = "the issuer's key, or tokens that expire within 25 seconds"
	OwnServer     Need = "a server of its own, with its issuer's keys"
	CanaryTool    Need = "a tool that shows when it has run"
	HandleTools   Need = "a tool that hands out state, and one that takes it"
	RoundsTool    Need = "a tool that asks for input"
	TaskTool      Need = "a tool that can be called as a task"
	WhoamiTool    Need = "a tool that names its caller"
	LocalOnly     Need = "the machine's network addresses, where a local server must not listen"
	ForwardedView Need = "a view of the requests that the server sends upstream"
)

// meets reports whether a target supplies something.
func (t *Target) meets(need Need) bool {
	switch need {
	case IssuerKey:
		return t.Mint != nil
	case TimedTokens:
		return t.Mint != nil || t.Tokens[ShortLived] != nil
	case OwnServer:
		return t.Fixture != nil
	case CanaryTool:
		return t.Canary != nil
	case HandleTools:
		return t.Handles != nil
	case RoundsTool:
		return t.Rounds != nil
	case TaskTool:
		return t.TaskTool != ""
	case WhoamiTool:
		return t.Whoami != nil
	case LocalOnly:
		return t.Local != nil
	case ForwardedView:
		return t.Forwarded != nil
	}
	return false
}

// A Check is a rule for servers, with a func that tries it.
type Check struct {
	check.Rule
	// Tokens are the kinds of tokens that the target has to supply.
	Tokens []TokenKind
	// Needs are what the target has to supply besides tokens.
	Needs []Need
	// Time bounds the check. Zero means a minute, or three for a disruptive check. A slow target
	// gets more.
	Time time.Duration
	// Slow checks wait, or send many requests one after the other. They begin before others.
	Slow bool
	// Run tries the rule.
	Run func(ctx context.Context, p *Probe) error
}

// timeout bounds one check. Disruptive checks send thousands of requests.
func (c *Check) timeout() time.Duration {
	if c.Time > 0 {
		return c.Time
	}
	if c.Disruptive {
		return 3 * time.Minute
	}
	return time.Minute
}

// lacking returns the first thing that a check needs and the target does not supply, or "".
func (t *Target) lacking(c *Check) string {
	missing := func(kind TokenKind) bool { return t.Tokens[kind] == nil }
	if i := slices.IndexFunc(c.Tokens, missing); i >= 0 {
		return "a token of the kind: " + string(c.Tokens[i])
	}
	if c.Disruptive && t.Fragile {
		return "a target that is not fragile"
	}
	unmet := func(need Need) bool { return !t.meets(need) }
	if i := slices.IndexFunc(c.Needs, unmet); i >= 0 {
		return string(c.Needs[i])
	}
	return ""
}

// Bind binds checks to the target. They share one survey.
func (t Target) Bind(checks ...Check) []check.Bound {
	survey := t.survey
	if survey == nil {
		survey = &lazySurvey{target: t}
	}
	bound := make([]check.Bound, 0, len(checks))
	for _, current := range checks {
		bound = append(bound, check.Bound{
			Rule:    current.Rule,
			Lacking: t.lacking(&current),
			Claimed: t.Revisions,
			Plan: func(ctx context.Context) ([]check.Revision, error) {
				return survey.plan(ctx, &current)
			},
			Slow:    current.Slow,
			Timeout: t.scaled(current.timeout()),
			Try: func(ctx context.Context, revision check.Revision) error {
				p := newProbe(t, revision)
				p.survey = survey
				if t.HTTPClient == nil {
					// The target's own client may have connections that others use.
					defer p.client.CloseIdleConnections()
				}
				return survey.explain(ctx, &current, p.good.explain(current.Run(ctx, p)))
			},
		})
	}
	return bound
}

// Run tries one check against a target.
func Run(ctx context.Context, c Check, target Target) []check.Result {
	return target.Bind(c)[0].Run(ctx)
}

// RunAt tries one check against a target at one revision, without a survey.
func RunAt(ctx context.Context, c Check, target Target, revision check.Revision) check.Result {
	bound := target.Bind(c)[0]
	bound.Plan = nil
	bound.EachRevision = true
	bound.Revisions = []check.Revision{revision}
	result := bound.Run(ctx)[0]
	result.Rule = c.Rule
	return result
}

// newProbe makes a probe with connections of its own.
func newProbe(target Target, revision check.Revision) *Probe {
	return &Probe{
		target:   target,
		Revision: revision,
		client:   exchange.NewClient(target.HTTPClient),
		ids:      &atomic.Int64{},
		secrets:  &exchange.Secrets{},
		good:     &goodTokens{},
	}
}
