package checks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// sessionChecks returns the checks of server/session about who can use a session (MCP transports,
// Session Management; MCP security best practices, Session Hijacking).
func sessionChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "server/session/not-authentication",
				Level:        check.Must,
				Severity:     check.Critical,
				Revisions:    before(check.R20260728),
				EachRevision: true,
				Reference: "MCP security best practices, Session Hijacking; MCP authorization, Token " +
					"Requirements",
				Sentence: "A session does not replace a token: each request needs its own.",
				Covers:   []string{"RS-095", "server-session-not-auth", "server-verify-every-request"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.Expired},
			Run:    attack.WithTrial(sessionNotAuthentication),
		},
		{
			Rule: check.Rule{
				ID:        "server/session/other-user",
				Level:     check.Should,
				Severity:  check.Critical,
				Revisions: before(check.R20260728),
				Reference: "MCP security best practices, Session Hijacking",
				Sentence:  "A session belongs to its user: another user's token can neither use nor end it.",
				Covers:    []string{"RS-093", "server-session-user-bound"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Run:    sessionOtherUser,
		},
		{
			Rule: check.Rule{
				ID:        "server/session/refreshed-token",
				Level:     check.Policy,
				Severity:  check.High,
				Revisions: before(check.R20260728),
				Reference: "MCP security best practices, Session Hijacking",
				Sentence:  "A session continues with the next token of the same user.",
				Covers:    []string{"RS-094"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.Refreshed},
			Run:    sessionRefreshedToken,
		},
		{
			Rule: check.Rule{
				ID:        "server/session/missing",
				Level:     check.Should,
				Revisions: before(check.R20260728),
				Reference: "MCP transports, Session Management",
				Sentence:  "A request without the required session ID is refused with 400.",
				Covers:    []string{"server-session-missing-400"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    sessionMissing,
		},
		{
			Rule: check.Rule{
				ID:        "server/session/ended",
				Level:     check.Must,
				Revisions: before(check.R20260728),
				Reference: "MCP transports, Session Management",
				Sentence:  "A request in an ended session is answered with 404.",
				Covers:    []string{"server-session-terminated-404"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    sessionEnded,
		},
		{
			Rule: check.Rule{
				ID:        "server/session/ending-needs-token",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: before(check.R20260728),
				Reference: "MCP authorization, Token Requirements",
				Sentence:  "Ending a session requires a token.",
				Covers:    []string{"server-auth-delete-session"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    sessionEndingNeedsToken,
		},
	}
}

// sessionNotAuthentication sends requests in a session without a token, and with bad ones.
func sessionNotAuthentication(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	expired, err := p.Token(ctx, bench.Expired)
	if err != nil {
		return err
	}
	want := []int{http.StatusUnauthorized, http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound}
	return attack.TryVectors(ctx, p, trial, want,
		attack.Vector{Name: "a session and no token"},
		attack.Vector{
			Name:   "a session and an expired token",
			Change: attack.Authorization(func(string) string { return "Bearer " + expired }),
		},
		attack.Vector{
			Name: "a list of tools with an expired token",
			Change: func(r *bench.Request, _ string) {
				*r = attack.WithToken(expired, trial.Session.Message("tools/list", nil))
			},
		},
		attack.Vector{
			Name:   "a session and a bad token",
			Change: attack.Authorization(func(string) string { return "Bearer " + attack.MalformedJWT }),
		},
		attack.Vector{
			Name:   "a list of tools without a token",
			Change: func(r *bench.Request, _ string) { *r = trial.Session.Message("tools/list", nil) },
		},
	)
}

// sessionOtherUser uses another user's token in a session, with every method.
func sessionOtherUser(ctx context.Context, p *bench.Probe) error {
	trial, err := attack.SessionTrial(ctx, p)
	if err != nil {
		return err
	}
	other, err := p.OpenAs(ctx, bench.OtherUser)
	if err != nil {
		return err
	}
	if err := attack.TryVectors(ctx, p, trial, bench.AnyRefusal(),
		attack.Vector{
			Name: "POST by another user",
			Change: func(r *bench.Request, _ string) {
				*r = attack.WithToken(other.Token, trial.Session.Message("tools/list", nil))
			},
		},
		attack.Vector{
			Name:   "GET by another user",
			Change: func(r *bench.Request, _ string) { *r = attack.StreamRequest(trial.Session, other.Token) },
		},
		attack.Vector{
			Name:   "DELETE by another user",
			Change: func(r *bench.Request, _ string) { *r = attack.DeleteRequest(trial.Session, other.Token) },
		},
	); err != nil {
		return err
	}
	words := "its owner's token, after another user tried to get in"
	return attack.WantSessionServed(ctx, p, trial.Session, trial.Token, words)
}

// sessionRefreshedToken tries server/session/refreshed-token.
func sessionRefreshedToken(ctx context.Context, p *bench.Probe) error {
	trial, err := attack.SessionTrial(ctx, p)
	if err != nil {
		return err
	}
	next, err := p.Token(ctx, bench.Refreshed)
	if err != nil {
		return err
	}
	return attack.WantSessionServed(ctx, p, trial.Session, next, "the next token of the same user")
}

// sessionMissing tries server/session/missing.
func sessionMissing(ctx context.Context, p *bench.Probe) error {
	trial, err := attack.SessionTrial(ctx, p)
	if err != nil {
		return err
	}
	answer, err := p.Send(ctx, attack.WithToken(trial.Token, p.Message("tools/list", nil)))
	if err == nil && answer.Status != http.StatusBadRequest && answer.Status != http.StatusOK {
		return p.Mismatch(
			"status 400, or the result where no session is needed",
			fmt.Sprintf("status %d", answer.Status),
		)
	}
	return err
}

// sessionEnded tries server/session/ended.
func sessionEnded(ctx context.Context, p *bench.Probe) error {
	trial, err := attack.SessionTrial(ctx, p)
	if err != nil {
		return err
	}
	if err := attack.WantSessionServed(ctx, p, trial.Session, trial.Token, "an open session"); err != nil {
		return &check.CannotJudge{Reason: "the session does not work before it is ended", Err: err}
	}
	ended, err := p.Send(ctx, attack.DeleteRequest(trial.Session, trial.Token))
	if err != nil {
		return err
	}
	if ended.Status/100 != 2 {
		return &check.NotApplicable{
			Reason: fmt.Sprintf("the server lets no client end a session (status %d)", ended.Status),
		}
	}
	limit := p.Scaled(5 * time.Second) // the same request was answered before
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer, err := p.Send(within, attack.WithToken(trial.Token, trial.Session.Message("tools/list", nil)))
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return p.Mismatch("status 404", fmt.Sprintf("no answer within %v", limit))
	case err == nil && answer.Status != http.StatusNotFound:
		return p.Mismatch("status 404", fmt.Sprintf("status %d", answer.Status))
	}
	return err
}

// sessionEndingNeedsToken tries server/session/ending-needs-token.
func sessionEndingNeedsToken(ctx context.Context, p *bench.Probe) error {
	trial, err := attack.SessionTrial(ctx, p)
	if err != nil {
		return err
	}
	answer, err := p.Send(ctx, attack.DeleteRequest(trial.Session, ""))
	if err != nil {
		return err
	}
	switch {
	case answer.Status/100 == 2:
		return p.Insecure("status 401, or 404, 405 or 501", fmt.Sprintf("status %d", answer.Status))
	case !slices.Contains(attack.WithoutToken, answer.Status):
		return p.Mismatch("status 401, or 404, 405 or 501", fmt.Sprintf("status %d", answer.Status))
	}
	words := "its owner's token, after a DELETE without a token"
	return attack.WantSessionServed(ctx, p, trial.Session, trial.Token, words)
}
