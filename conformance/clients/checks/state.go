package checks

import (
	"context"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// stateChecks are checks of client/state.
func stateChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/state/sent",
				Level:     check.Should,
				Revisions: since20250618,
				Reference: "MCP 2025-06-18 authorization, Open Redirection; OAuth 2.1-13 section 7.9",
				Sentence:  "An authorization request has a state, and another one each time.",
				Covers:    []string{"client-state-sent"},
			},
			Run: stateSent,
		},
		{
			Rule: check.Rule{
				ID:        "client/state/verified",
				Level:     check.Should,
				Severity:  check.Critical,
				Reference: "OAuth 2.1-13 sections 2.3.3 and 7.9; MCP 2025-06-18 authorization, Open Redirection",
				Sentence:  "An answer without the state of the request, or with another one, is not used.",
				Covers:    []string{"client-state-verified", "CL-009"},
			},
			Run: stateVerified,
		},
	}
}

// stateSent tries client/state/sent.
func stateSent(ctx context.Context, p *bench.Probe) error {
	var states []string
	for range 2 {
		l, err := control(ctx, p, lab.Script{})
		if err != nil {
			return err
		}
		for _, one := range l.Authorizations(l.Authority()) {
			state := one.Query.Get("state")
			if state == "" {
				return l.Mismatch("a state", "none")
			}
			if slices.Contains(states, state) {
				return l.Mismatch("another state each time", "the same twice")
			}
			states = append(states, state)
		}
	}
	return nil
}

// stateVerified tries client/state/verified.
func stateVerified(ctx context.Context, p *bench.Probe) error {
	l, err := control(ctx, p, lab.Script{})
	if err != nil {
		return err
	}
	for _, one := range l.Authorizations(l.Authority()) {
		if !one.Query.Has("state") {
			return &check.NotApplicable{Reason: "the client sends no state"}
		}
	}
	old := l.Authorizations(l.Authority())[0].Query.Get("state")
	return noHarm(
		lab.Script{},
		authorized,
		firstRedeemed,
		earlier("a changed state", "state", "another"),
		earlier("no state", "state", ""),
		earlier("the state of an older sign-in", "state", old),
	)(ctx, p)
}

// earlier is a variant where an answer with something wrong comes before the right one. A client
// that takes neither is as good as one that waits on.
func earlier(name, parameter, value string) variant {
	return variant{"an answer with " + name, lab.Script{Answers: with(parameter, value)}}
}

// with has an answer with a parameter changed, or taken away, come before the right one.
func with(parameter, value string) func(*lab.Lab, *lab.Authorization) []lab.Answer {
	return func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
		return []lab.Answer{a.With(parameter, value), a.Right()}
	}
}

// firstRedeemed is the harm of using the first of the answers, which is the wrong one.
func firstRedeemed(l *lab.Lab) string {
	if slices.Contains(l.Redeemed(l.Authority()), 0) {
		return "the code of the wrong answer was redeemed"
	}
	return ""
}
