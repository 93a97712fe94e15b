package checks

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// sessionLimitChecks returns the checks of server/session about the number of sessions.
func sessionLimitChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:         "server/session/bounded",
				Level:      check.Policy,
				Severity:   check.High,
				Revisions:  before(check.R20260728),
				Disruptive: true,
				Reference: "MCP security best practices, Session Hijacking; OWASP API Security Top 10 2023, " +
					"API4",
				Sentence: "Sessions that no client ends expire, either by their number or after a week " +
					"without use.",
				Covers: []string{"RS-097"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    sessionBounded,
		},
		{
			Rule: check.Rule{
				ID:         "server/session/others-kept",
				Level:      check.Policy,
				Severity:   check.High,
				Revisions:  before(check.R20260728),
				Disruptive: true,
				Reference: "MCP security best practices, Session Hijacking; OWASP API Security Top 10 2023, " +
					"API4",
				Sentence: "However many sessions one user starts, another user's session survives.",
				Covers:   []string{"RS-097"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    sessionOthersKept,
		},
	}
}

// sessionBounded begins sessions and ends none. The check cannot see how many sessions the server
// holds in memory, but it can see whether the first one is still there.
func sessionBounded(ctx context.Context, p *bench.Probe) error {
	f, err := attack.NewFixture(ctx, p)
	if err != nil {
		return err
	}
	defer f.Close()
	trial, err := attack.SessionTrial(ctx, f.Probe)
	if err != nil {
		return err
	}
	for i := range manySessions {
		answer, err := f.Probe.Send(ctx, bench.Request{Header: bench.Bearer(trial.Token)})
		switch {
		case err != nil:
			return err
		case answer.Status == http.StatusTooManyRequests || answer.Status == http.StatusServiceUnavailable:
			return nil // the server limits its sessions
		case !answer.Succeeded():
			return f.Probe.Mismatch(
				fmt.Sprintf("session %d, or status 429 or 503", i+2),
				fmt.Sprintf("status %d", answer.Status),
			)
		}
	}
	if ended, err := isOver(ctx, f.Probe, trial.Session); ended || err != nil {
		return err
	}
	if f.Advance == nil {
		return &check.NotApplicable{Reason: "the fixture cannot advance its clock by a week"}
	}
	f.Advance(unused)
	if ended, err := isOver(ctx, f.Probe, trial.Session); ended || err != nil {
		return err
	}
	return f.Probe.Mismatch(
		fmt.Sprintf("the end of the first of %d sessions, by their number or a week later", manySessions+1),
		"its list of tools",
	)
}

// sessionOthersKept begins a session for one user and a flood of sessions for another.
func sessionOthersKept(ctx context.Context, p *bench.Probe) error {
	f, err := attack.NewFixture(ctx, p)
	if err != nil {
		return err
	}
	defer f.Close()
	victim, err := f.Probe.Token(ctx, bench.OtherUser)
	if err != nil {
		return &check.NotApplicable{Reason: "the fixture has tokens of one user only"}
	}
	trial, err := attack.SessionTrial(ctx, f.Probe)
	if err != nil {
		return err
	}
	kept, err := f.Probe.Open(ctx, victim)
	if err != nil {
		return err
	}
	listTools := func() (*bench.Answer, error) {
		return f.Probe.Send(ctx, attack.WithToken(victim, kept.Message("tools/list", nil)))
	}
	before, err := listTools()
	switch {
	case err != nil:
		return err
	case !before.Succeeded():
		return &check.CannotJudge{Reason: fmt.Sprintf("the other user's session answers %d", before.Status)}
	}
	begun, err := floodWithSessions(ctx, f.Probe, trial.Token)
	if err != nil {
		return err
	}
	after, err := listTools()
	if err != nil {
		return err
	}
	// Other statuses may be about the load.
	if after.Status == http.StatusNotFound || after.Status == http.StatusBadRequest {
		return f.Probe.Insecure(
			fmt.Sprintf("the session of a user to survive while another begins %d", begun),
			fmt.Sprintf("status %d", after.Status),
		)
	}
	return nil
}

// floodWithSessions begins sessions until the server refuses one, and returns their number.
func floodWithSessions(ctx context.Context, p *bench.Probe, token string) (int, error) {
	end := time.Now().Add(floodTime)
	for begun := range floodSessions {
		if time.Now().After(end) {
			return begun, nil
		}
		answer, err := p.Send(ctx, bench.Request{Header: bench.Bearer(token)})
		if err != nil {
			return begun, err
		}
		if !answer.Succeeded() {
			return begun, nil
		}
	}
	return floodSessions, nil
}

// isOver reports whether a session is refused with a new token.
func isOver(ctx context.Context, p *bench.Probe, session *bench.Session) (bool, error) {
	token, err := p.Token(ctx, bench.Good)
	if err != nil {
		return false, err
	}
	if _, err := p.Open(ctx, token); err != nil {
		return false, err // the server refuses every session, so the answer would say nothing
	}
	answer, err := p.Send(ctx, attack.WithToken(token, session.Message("tools/list", nil)))
	return err == nil && !answer.Succeeded(), err
}

// The flood of one user's sessions ends at a number or after a time.
const (
	floodSessions = 1500
	floodTime     = 20 * time.Second
)

const (
	manySessions = 500                // of one user
	unused       = 7 * 24 * time.Hour // for how long the first of them is not used
)
