package checks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenLeewayChecks returns the checks of server/token about the leeway that a server allows for
// clocks that differ.
func tokenLeewayChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/expiry-leeway",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 7519 section 4.1.4",
				Sentence: "A token is refused a few minutes after it has expired: five minutes of leeway are " +
					"common, ten are too many.",
				Covers: []string{"RS-051", "RS-052"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.WithTrial(tokenExpiryLeeway),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/start-leeway",
				Level:     check.Must,
				Severity:  check.Low,
				Reference: "RFC 7519 section 4.1.5",
				Sentence: "A token is refused until a few minutes before it starts (nbf): five minutes of " +
					"leeway are common, ten are too many.",
				Covers: []string{"RS-052"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.WithTrial(tokenStartLeeway),
		},
	}
}

// The RFC allows "a few minutes". Servers commonly allow fewLeeway. A server that allows more than
// mostLeeway breaks the rule. The doubt is about the clocks and the way of the request.
const (
	fewLeeway   = 5 * time.Minute
	mostLeeway  = 10 * time.Minute
	leewayDoubt = 5 * time.Second
)

// tokenExpiryLeeway tries server/token/expiry-leeway.
func tokenExpiryLeeway(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	clock, err := attack.ClockTrial(ctx, p, trial)
	if err != nil {
		return err
	}
	ignored := &check.Skipped{
		Of:     "server/token/expiry-form",
		Reason: "the server accepts a token that expired an hour ago",
	}
	return wantFewMinutes(ctx, p, "after the expiry time of a token", time.Hour, ignored, clock.AcceptsExpired)
}

// tokenStartLeeway tries server/token/start-leeway.
func tokenStartLeeway(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	clock, err := attack.ClockTrial(ctx, p, trial)
	if err != nil {
		return err
	}
	served, err := clock.AcceptsEarly(ctx, -time.Minute)
	if err != nil {
		return err
	}
	if !served {
		return &check.CannotJudge{Reason: "the control failed: a minted token that started a minute ago is refused"}
	}
	ignored := &check.Skipped{
		Of:     "server/token/start-form",
		Reason: "the server accepts a token that starts in twenty minutes",
	}
	return wantFewMinutes(ctx, p, "before the start time of a token", 20*time.Minute, ignored, clock.AcceptsEarly)
}

// wantFewMinutes finds the leeway of a server. A server that accepts the most has no leeway but
// ignores the time, which another check finds.
func wantFewMinutes(
	ctx context.Context,
	p *bench.Probe,
	when string,
	most time.Duration,
	ignored error,
	accepts func(context.Context, time.Duration) (bool, error),
) error {
	accepted, err := accepts(ctx, fewLeeway+leewayDoubt)
	if err != nil || !accepted {
		return err
	}
	accepted, err = accepts(ctx, most)
	if err != nil {
		return err
	}
	if accepted {
		return ignored
	}
	leeway, err := attack.Leeway(ctx, fewLeeway+leewayDoubt, most, accepts)
	if err != nil {
		return err
	}
	if _, err := accepts(ctx, leeway); err != nil { // the report shows this exchange
		return err
	}
	found := p.Insecure(
		fmt.Sprintf("at most %v of leeway %s", fewLeeway, when),
		fmt.Sprintf("a result %v %s", leeway, when),
	)
	if leeway <= mostLeeway+leewayDoubt {
		return atLevel(found, check.Should, check.Low)
	}
	return found
}

// atLevel gives a mismatch another level and severity than the check's.
func atLevel(err error, level check.Level, severity check.Severity) error {
	var mismatch *check.Mismatch
	if errors.As(err, &mismatch) {
		mismatch.Level = level
		mismatch.Severity = severity
	}
	return err
}
