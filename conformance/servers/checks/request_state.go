package checks

import (
	"context"
	"crypto/rand"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// requestStateChecks returns the checks of server/request-state: the state that a caller carries
// from one round of a request to the next (MCP 2026-07-28, Multi Round-Trip Requests and
// Elicitation).
func requestStateChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/request-state/altered",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since(check.R20260728),
				Reference: "MCP 2026-07-28 patterns, Multi Round-Trip Requests, Server Requirements",
				Sentence:  "Request state that its caller has altered is refused.",
				Covers:    []string{"RS-102", "server-request-state-integrity"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.RoundsTool},
			Run:    requestStateAltered,
		},
		{
			Rule: check.Rule{
				ID:        "server/request-state/other-user",
				Level:     check.Should,
				Severity:  check.Critical,
				Revisions: since(check.R20260728),
				Reference: "MCP 2026-07-28 patterns, Multi Round-Trip Requests, Server Requirements; " +
					"Elicitation, Security Considerations",
				Sentence: "Another user can neither continue a call nor answer its questions.",
				Covers:   []string{"RS-102", "server-request-state-principal", "server-elicitation-bound"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Needs:  []bench.Need{bench.RoundsTool},
			Run:    requestStateOtherUser,
		},
		{
			Rule: check.Rule{
				ID:        "server/request-state/one-request",
				Level:     check.Should,
				Severity:  check.High,
				Revisions: since(check.R20260728),
				Reference: "MCP 2026-07-28 patterns, Multi Round-Trip Requests, Server Requirements",
				Sentence:  "Request state is valid for its own request only, and for a short time.",
				Covers:    []string{"RS-102", "server-request-state-ttl"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.RoundsTool},
			Run:    requestStateOneRequest,
		},
		{
			Rule: check.Rule{
				ID:        "server/request-state/once",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since(check.R20260728),
				Reference: "MCP 2026-07-28 patterns, Multi Round-Trip Requests, Server Requirements",
				Sentence:  "Request state for one use works once.",
				Covers:    []string{"RS-102", "server-request-state-single-use"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.RoundsTool},
			Run:    requestStateOnce,
		},
	}
}

// wantStateNeeded skips a server whose call goes on without the state. The state then influences
// nothing, and altering it gains nothing (MCP 2026-07-28, Server Requirements).
func wantStateNeeded(ctx context.Context, p *bench.Probe) error {
	round, err := attack.BeginRoundWithState(ctx, p)
	if err != nil {
		return err
	}
	resumed, err := round.ResumesWith(ctx, p, "")
	if err == nil && resumed {
		return &check.NotApplicable{Reason: "the call goes on without the state that the server gave its caller"}
	}
	return err
}

// requestStateAltered changes the state in several places.
func requestStateAltered(ctx context.Context, p *bench.Probe) error {
	if err := wantStateNeeded(ctx, p); err != nil {
		return err
	}
	round, err := attack.BeginRoundWithState(ctx, p)
	if err != nil {
		return err
	}
	for _, altered := range alterations(round.State) {
		resumed, err := round.ResumesWith(ctx, p, altered)
		if err != nil {
			return err
		}
		if resumed {
			return p.Insecure("a refusal of altered request state", "the result")
		}
	}
	// The server may have ended the first round, so the control takes another.
	another, err := attack.BeginRoundWithState(ctx, p)
	if err != nil {
		return err
	}
	return another.ControlResumes(ctx, p)
}

// alterations returns states with one character changed. The first and the last
// character stay, because their bits may not count.
func alterations(state string) []string {
	var altered []string
	for _, quarter := range []int{1, 2, 3} {
		at := quarter * len(state) / 4
		if at >= len(state) {
			continue
		}
		other := byte('A')
		if state[at] == other {
			other = 'B'
		}
		altered = append(altered, state[:at]+string(other)+state[at+1:])
	}
	return altered
}

// requestStateOtherUser continues a call as another user, and then as its own.
func requestStateOtherUser(ctx context.Context, p *bench.Probe) error {
	if err := wantStateNeeded(ctx, p); err != nil {
		return err
	}
	round, err := attack.BeginRoundWithState(ctx, p)
	if err != nil {
		return err
	}
	other, err := p.OpenAs(ctx, bench.OtherUser)
	if err != nil {
		return err
	}
	resumed, err := round.Resumes(ctx, p, other.Token, round.Marker, round.State)
	if err != nil {
		return err
	}
	if resumed {
		return p.Insecure("a refusal of another user's request state", "the result")
	}
	resumed, err = round.ResumesWith(ctx, p, round.State)
	if err == nil && !resumed {
		return p.Mismatch("the result for its own user after another user tried to continue", "no result")
	}
	return err
}

// requestStateOneRequest uses state with other arguments, and too late.
func requestStateOneRequest(ctx context.Context, p *bench.Probe) error {
	if err := wantStateNeeded(ctx, p); err != nil {
		return err
	}
	round, err := attack.BeginRoundWithState(ctx, p)
	if err != nil {
		return err
	}
	resumed, err := round.Resumes(ctx, p, round.Session.Token, rand.Text(), round.State)
	if err != nil {
		return err
	}
	if resumed {
		return p.Insecure("a refusal of request state with other arguments", "the result")
	}
	round, err = attack.BeginRoundWithState(ctx, p)
	if err != nil {
		return err
	}
	if err := round.ControlResumes(ctx, p); err != nil {
		return err
	}
	if p.Rounds().Expire == nil {
		return nil // the target cannot let state expire
	}
	round, err = attack.BeginRoundWithState(ctx, p)
	if err != nil {
		return err
	}
	if err := p.Rounds().Expire(ctx, round.State); err != nil {
		return &check.CannotJudge{Reason: "the state cannot be made to expire", Err: err}
	}
	resumed, err = round.ResumesWith(ctx, p, round.State)
	if err == nil && resumed {
		return p.Insecure("a refusal of request state that has expired", "the result")
	}
	return err
}

// requestStateOnce uses state twice.
func requestStateOnce(ctx context.Context, p *bench.Probe) error {
	if err := wantStateNeeded(ctx, p); err != nil {
		return err
	}
	if !p.Rounds().Once {
		return &check.NotApplicable{Reason: "its request state may be used again"}
	}
	round, err := attack.BeginRoundWithState(ctx, p)
	if err != nil {
		return err
	}
	if err := round.ControlResumes(ctx, p); err != nil {
		return err
	}
	resumed, err := round.ResumesWith(ctx, p, round.State)
	if err == nil && resumed {
		return p.Insecure("a refusal of request state that was used", "the result once more")
	}
	return err
}
