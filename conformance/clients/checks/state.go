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
				Sentence:  "An authorization request has a state, and a different one each time.",
				Covers:    []string{"client-state-sent"},
			},
			Run: stateSent,
		},
		{
			Rule: check.Rule{
				ID:        "client/state/verified",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "OAuth 2.1-13 sections 2.3.3 and 7.9; MCP 2025-06-18 authorization, Open Redirection",
				Sentence:  "An authorization response with a missing or different state is not used.",
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
		l, err := completeTask(ctx, p, lab.Script{})
		if err != nil {
			return err
		}
		for _, request := range l.Authorizations(l.Authority()) {
			state := request.Query.Get("state")
			if state == "" {
				return l.Mismatch("a state", "none")
			}
			if slices.Contains(states, state) {
				return l.Mismatch("a different state each time", "the same state twice")
			}
			states = append(states, state)
		}
	}
	return nil
}

// stateVerified tries client/state/verified.
func stateVerified(ctx context.Context, p *bench.Probe) error {
	l, err := completeTask(ctx, p, lab.Script{})
	if err != nil {
		return err
	}
	for _, request := range l.Authorizations(l.Authority()) {
		if !request.Query.Has("state") {
			return &check.NotApplicable{Reason: "the client sends no state"}
		}
	}
	old := l.Authorizations(l.Authority())[0].Query.Get("state")
	return noHarm(
		lab.Script{},
		authorized,
		firstRedeemed,
		wrongAnswerFirst("a changed state", "state", "another"),
		wrongAnswerFirst("no state", "state", ""),
		wrongAnswerFirst("the state of an older sign-in", "state", old),
	)(ctx, p)
}

// wrongAnswerFirst returns a variant that sends a wrong response before the right one. A client may
// refuse both, or wait for the right one.
func wrongAnswerFirst(name, parameter, value string) variant {
	return variant{"a response with " + name, lab.Script{Answers: wrongThenRight(parameter, value)}}
}

// wrongThenRight sends a response with a parameter changed, or removed if value is "", and then the
// right response.
func wrongThenRight(parameter, value string) func(*lab.Lab, *lab.Authorization) []lab.Answer {
	return func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
		return []lab.Answer{a.With(parameter, value), a.Right()}
	}
}

// firstRedeemed reports that the code of the first response, the wrong one, was redeemed.
func firstRedeemed(l *lab.Lab) string {
	if slices.Contains(l.Redeemed(l.Authority()), 0) {
		return "the code of the wrong response was redeemed"
	}
	return ""
}
