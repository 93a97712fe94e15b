package bench

import (
	"context"
	"slices"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/exchange"
)

// A Need is something that a check requires of a target.
type Need string

// The needs of checks.
const (
	SignIn   Need = "a person who signs in"
	Scripted Need = "a scripted person, whose browser the checks can watch"
	Clock    Need = "a clock that the checks can advance"
	Resource Need = "a resource to ask tokens for"
	Another  Need = "another resource to ask tokens for"
	Scopes   Need = "scopes to ask for"
	App      Need = "a client that calls for itself"

	DocumentHost Need = "a server whose requests for client documents reach the checks"
	AllHosts     Need = "a server whose requests for client documents reach the checks, whatever their host"
	ThirdParty   Need = "a third party for sign-ins that the checks play"
	Fixture      Need = "a way to start servers that sign people in at a third party of the checks"
)

// meets reports whether a target supplies something.
func (t *Target) meets(need Need) bool {
	switch need {
	case SignIn:
		return t.Person != nil || t.Open != nil
	case Scripted:
		return t.Person != nil
	case Clock:
		return t.Advance != nil
	case Resource:
		return t.Resource != ""
	case Another:
		return t.OtherResource != ""
	case DocumentHost:
		return t.Documents != nil
	case AllHosts:
		return t.Documents != nil && t.Documents.base == ""
	case ThirdParty:
		return t.Upstream != nil
	case Fixture:
		return t.Start != nil && t.Upstream != nil
	case App:
		return t.App != nil
	case Scopes:
		return len(t.Scopes) > 0
	}
	return false
}

// A Check is a rule for authorization servers, with a func that tries it.
type Check struct {
	check.Rule
	// Needs are what the target has to supply.
	Needs []Need
	// Run tries the rule.
	Run func(ctx context.Context, p *Probe) error
}

// Time limits of a check. A real person takes longer than a script.
const (
	timeout       = time.Minute
	personTimeout = 5 * time.Minute
	maxVisits     = 8 // sign-ins of one check
)

// timeout bounds one check. A target that may take longer for its first answer gets more time in
// proportion.
func (t *Target) timeout() time.Duration {
	limit := exchange.Stretch(timeout, t.FirstAnswer, firstAnswerTime)
	if t.isReal() {
		return limit + maxVisits*t.signInTimeout()
	}
	return limit
}

// lacking returns the first thing that a check needs and the target does not supply, or "".
func (t *Target) lacking(c *Check) string {
	if c.Disruptive && t.Fragile {
		return "a target that is not fragile"
	}
	unmet := func(need Need) bool { return !t.meets(need) }
	if i := slices.IndexFunc(c.Needs, unmet); i >= 0 {
		return string(c.Needs[i])
	}
	return ""
}

// Bind binds checks to the target.
func (t Target) Bind(checks ...Check) []check.Bound {
	real := newRealPerson()
	limits := &limitReport{}
	life := &lifeSign{target: t}
	bound := make([]check.Bound, 0, len(checks))
	for _, current := range checks {
		bound = append(bound, check.Bound{
			Rule:    current.Rule,
			Lacking: t.lacking(&current),
			Claimed: t.Revisions,
			Alone:   slices.Contains(current.Needs, Clock) || t.isReal() && slices.Contains(current.Needs, SignIn),
			Timeout: t.timeout(),
			Try: func(ctx context.Context, revision check.Revision) error {
				p := newProbe(t, revision)
				p.real = real
				if t.HTTPClient == nil {
					// The target's own client may have connections that others use.
					defer p.client.CloseIdleConnections()
				}
				return life.run(ctx, func() error {
					return limits.explain(current.Level, current.Run(ctx, p))
				})
			},
		})
	}
	return bound
}

// Run tries one check against a target.
func Run(ctx context.Context, c Check, target Target) check.Result {
	return target.Bind(c)[0].Run(ctx)[0]
}

// At returns a probe of another target. The caller closes it.
func (p *Probe) At(target Target) *Probe {
	at := newProbe(target, p.Revision)
	at.real = p.real
	at.secrets = p.secrets
	return at
}

// Close closes the idle connections of a probe that At returned.
func (p *Probe) Close() { p.client.CloseIdleConnections() }

// newProbe makes a probe with connections of its own.
func newProbe(target Target, revision check.Revision) *Probe {
	return &Probe{
		Revision: revision,
		target:   target,
		client:   exchange.NewClient(target.HTTPClient),
		secrets:  &exchange.Secrets{},
	}
}
