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

// sessionChecks are checks of server/session: what a session ID is worth (MCP transports, Session
// Management; MCP security best practices, Session Hijacking).
func sessionChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "server/session/not-authentication",
				Level:        check.Must,
				Severity:     check.Critical,
				Revisions:    withSessions,
				EachRevision: true,
				Reference: "MCP security best practices, Session Hijacking" +
					"; MCP authorization, Token Requirements",
				Sentence: "What was proven when a session began counts for nothing later: each request needs " +
					"its token.",
				Covers: []string{
					"RS-095",
					"server-session-not-auth",
					"server-verify-every-request",
					"server-auth-notifications",
				},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.Expired},
			Run:    sessionNotAuthentication,
		},
		{
			Rule: check.Rule{
				ID:        "server/session/other-user",
				Level:     check.Should,
				Severity:  check.Critical,
				Revisions: withSessions,
				Reference: "MCP security best practices, Session Hijacking",
				Sentence:  "A session is its user's: another user's token does not get into it, and cannot end it.",
				Covers:    []string{"RS-093", "server-session-user-bound"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Run:    otherUser,
		},
		{
			Rule: check.Rule{
				ID:        "server/session/refreshed-token",
				Level:     check.Policy,
				Severity:  check.High,
				Revisions: withSessions,
				Reference: "MCP security best practices, Session Hijacking",
				Sentence:  "A session goes on with the next token of the same user.",
				Covers:    []string{"RS-094"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.Refreshed},
			Run:    sessionRefreshedToken,
		},
		{
			Rule: check.Rule{
				ID:        "server/session/own-ids",
				Level:     check.Should,
				Severity:  check.Medium,
				Revisions: withSessions,
				Reference: "MCP transports, Session Management",
				Sentence: "The server chooses its session IDs: one that the client brings to initialize is not " +
					"taken over.",
				Covers: []string{"RS-096"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    sessionOwnIds,
		},
		{
			Rule: check.Rule{
				ID:        "server/session/visible-ascii",
				Level:     check.Must,
				Revisions: withSessions,
				Reference: "MCP transports, Session Management",
				Sentence:  "A session ID consists of visible ASCII characters.",
				Covers:    []string{"server-session-visible-ascii"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    sessionVisibleAscii,
		},
		{
			Rule: check.Rule{
				ID:        "server/session/unpredictable",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: withSessions,
				Reference: "MCP security best practices, Session Hijacking",
				Sentence:  "Session IDs do not repeat and cannot be guessed.",
				Covers:    []string{"RS-096", "server-session-random"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    unpredictable,
		},
		{
			Rule: check.Rule{
				ID:         "server/session/bounded",
				Level:      check.Policy,
				Severity:   check.High,
				Revisions:  withSessions,
				Disruptive: true,
				Reference:  "MCP security best practices, Session Hijacking" + "; OWASP API Security Top 10 2023, API4",
				Sentence: "Sessions that nobody ends come to an end: by their number, or when nobody has used them " +
					"for a week.",
				Covers: []string{"RS-097"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    bounded,
		},
		{
			Rule: check.Rule{
				ID:         "server/session/others-kept",
				Level:      check.Policy,
				Severity:   check.High,
				Revisions:  withSessions,
				Disruptive: true,
				Reference:  "MCP security best practices, Session Hijacking" + "; OWASP API Security Top 10 2023, API4",
				Sentence:   "However many sessions one user begins, another user's session goes on.",
				Covers:     []string{"RS-097"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    othersKept,
		},
		{
			Rule: check.Rule{
				ID:        "server/session/missing",
				Level:     check.Should,
				Revisions: withSessions,
				Reference: "MCP transports, Session Management",
				Sentence:  "A request that lacks the session ID which the server needs is refused with 400.",
				Covers:    []string{"server-session-missing-400"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    sessionMissing,
		},
		{
			Rule: check.Rule{
				ID:        "server/session/ended",
				Level:     check.Must,
				Revisions: withSessions,
				Reference: "MCP transports, Session Management",
				Sentence:  "A session that was ended is answered with 404.",
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
				Revisions: withSessions,
				Reference: "MCP authorization, Token Requirements",
				Sentence:  "Nobody ends a session without a token.",
				Covers:    []string{"server-auth-delete-session"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    sessionEndingNeedsToken,
		},
	}
}

// sessionNotAuthentication tries server/session/not-authentication.
func sessionNotAuthentication(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	expired, err := p.Token(ctx, bench.Expired)
	if err != nil {
		return err
	}
	want := []int{http.StatusUnauthorized, http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound}
	return attack.Deny(ctx, p, trial, want,
		attack.Vector{Name: "a session and no token"},
		attack.Vector{
			Name:   "a session and an expired token",
			Change: attack.Authorization(func(string) string { return "Bearer " + expired }),
		},
		attack.Vector{
			Name: "a list of tools with an expired token",
			Change: func(r *bench.Request, _ string) {
				*r = trial.Session.Message("tools/list", nil)
				r.Header.Set("Authorization", "Bearer "+expired)
			},
		},
		attack.Vector{
			Name:   "a session and a bad token",
			Change: attack.Authorization(func(string) string { return "Bearer " + bad }),
		},
		attack.Vector{
			Name:   "a list of tools without a token",
			Change: func(r *bench.Request, _ string) { *r = trial.Session.Message("tools/list", nil) },
		},
	)
}

// sessionRefreshedToken tries server/session/refreshed-token.
func sessionRefreshedToken(ctx context.Context, p *bench.Probe) error {
	trial, err := inSession(ctx, p)
	if err != nil {
		return err
	}
	next, err := p.Token(ctx, bench.Refreshed)
	if err != nil {
		return err
	}
	return stillServed(ctx, p, trial.Session, next, "the next token of the same user")
}

// sessionOwnIds tries server/session/own-ids.
func sessionOwnIds(ctx context.Context, p *bench.Probe) error {
	trial, err := inSession(ctx, p)
	if err != nil {
		return err
	}
	const chosen = "chosen-by-the-client"
	request := bench.Request{Header: bench.Bearer(trial.Token)}
	request.Header.Set("Mcp-Session-Id", chosen)
	answer, err := p.Send(ctx, request)
	if err == nil && answer.Header.Get("Mcp-Session-Id") == chosen {
		return p.Insecure("a session ID of the server's own", "the one that the client chose")
	}
	return err
}

// sessionVisibleAscii tries server/session/visible-ascii.
func sessionVisibleAscii(ctx context.Context, p *bench.Probe) error {
	trial, err := inSession(ctx, p)
	if err != nil {
		return err
	}
	for i := range len(trial.Session.ID) {
		if b := trial.Session.ID[i]; b < 0x21 || b > 0x7e {
			return p.Mismatch("visible ASCII", fmt.Sprintf("the byte %#x", b))
		}
	}
	return nil
}

// sessionMissing tries server/session/missing.
func sessionMissing(ctx context.Context, p *bench.Probe) error {
	trial, err := inSession(ctx, p)
	if err != nil {
		return err
	}
	request := p.Message("tools/list", nil)
	request.Header.Set("Authorization", "Bearer "+trial.Token)
	answer, err := p.Send(ctx, request)
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
	trial, err := inSession(ctx, p)
	if err != nil {
		return err
	}
	if err := stillServed(ctx, p, trial.Session, trial.Token, "a session that is under way"); err != nil {
		return &check.CannotJudge{Reason: "the session does not work before it is ended", Err: err}
	}
	ended, err := p.Send(ctx, ending(p, trial.Session, trial.Token))
	if err != nil {
		return err
	}
	if ended.Status == http.StatusMethodNotAllowed {
		return &check.NotApplicable{Reason: "the server lets no client end a session"}
	}
	request := trial.Session.Message("tools/list", nil)
	request.Header.Set("Authorization", "Bearer "+trial.Token)
	answer, err := p.Send(ctx, request)
	if err == nil && answer.Status != http.StatusNotFound {
		return p.Mismatch("status 404", fmt.Sprintf("status %d", answer.Status))
	}
	return err
}

// sessionEndingNeedsToken tries server/session/ending-needs-token.
func sessionEndingNeedsToken(ctx context.Context, p *bench.Probe) error {
	trial, err := inSession(ctx, p)
	if err != nil {
		return err
	}
	answer, err := p.Send(ctx, ending(p, trial.Session, ""))
	if err != nil {
		return err
	}
	if answer.Status != http.StatusUnauthorized && answer.Status != http.StatusMethodNotAllowed {
		return p.Insecure("status 401, or 405", fmt.Sprintf("status %d", answer.Status))
	}
	return stillServed(
		ctx,
		p,
		trial.Session,
		trial.Token,
		"its owner's token, after somebody without one tried to end it",
	)
}

// withSessions are the revisions that have sessions.
var withSessions = []check.Revision{check.R20250326, check.R20250618, check.R20251125}

// inSession is a trial with a server that keeps sessions.
func inSession(ctx context.Context, p *bench.Probe) (*bench.Trial, error) {
	trial, err := p.Trial(ctx)
	if err == nil && trial.Session.ID == "" {
		return nil, &check.NotApplicable{Reason: "the server keeps no sessions"}
	}
	return trial, err
}

// stillServed wants a session served with a token. What is served is said in words.
func stillServed(ctx context.Context, p *bench.Probe, session *bench.Session, token, what string) error {
	request := session.Message("tools/list", nil)
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := p.Send(ctx, request)
	if err == nil && answer.Status != http.StatusOK {
		return p.Mismatch("status 200 with "+what, fmt.Sprintf("status %d", answer.Status))
	}
	return err
}

func ending(p *bench.Probe, session *bench.Session, token string) bench.Request {
	request := listening(session, token)
	request.Method = http.MethodDelete
	return request
}

// listening is the GET that opens the listening stream of a session.
func listening(session *bench.Session, token string) bench.Request {
	header := http.Header{"Accept": {"text/event-stream"}, "Mcp-Session-Id": {session.ID}}
	if session.ID == "" {
		delete(header, "Mcp-Session-Id")
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return bench.Request{Method: http.MethodGet, Header: header}
}

// otherUser tries to get into a session, by every method.
func otherUser(ctx context.Context, p *bench.Probe) error {
	trial, err := inSession(ctx, p)
	if err != nil {
		return err
	}
	other, err := p.Token(ctx, bench.OtherUser)
	if err != nil {
		return err
	}
	if _, err := p.Open(ctx, other); err != nil {
		return &check.CannotJudge{Reason: "the other user's token does not work in a session of its own", Err: err}
	}
	as := func(method string) attack.Vector {
		return attack.Vector{
			Name: method + " by another user",
			Change: func(r *bench.Request, _ string) {
				if method == http.MethodPost {
					*r = trial.Session.Message("tools/list", nil)
					r.Header.Set("Authorization", "Bearer "+other)
					return
				}
				*r = listening(trial.Session, other)
				r.Method = method
			},
		}
	}
	if err := attack.Deny(
		ctx,
		p,
		trial,
		bench.AnyRefusal(),
		as(http.MethodPost),
		as(http.MethodGet),
		as(http.MethodDelete),
	); err != nil {
		return err
	}
	return stillServed(ctx, p, trial.Session, trial.Token, "its owner's token, after another user tried to get in")
}

// sessionSample is how many IDs are looked at.
const sessionSample = 50

func unpredictable(ctx context.Context, p *bench.Probe) error {
	trial, err := inSession(ctx, p)
	if err != nil {
		return err
	}
	var sample drawn
	for range sessionSample {
		session, err := p.Open(ctx, trial.Token)
		if err != nil {
			return err
		}
		if !sample.add(session.ID) {
			return p.Insecure("a new session ID each time", "one twice")
		}
		if _, err := p.Send(ctx, ending(p, session, trial.Token)); err != nil {
			return err
		}
	}
	if bits := sample.bits(); bits < 64 {
		return p.Insecure("at least 64 bits that change", fmt.Sprintf("%.0f", bits))
	}
	return nil
}

// Many sessions, and how long they are left alone.
const (
	manySessions = 500
	leftAlone    = 7 * 24 * time.Hour
)

// bounded begins sessions and ends none. What a server holds in memory does not show; whether the
// first session is still there does.
func bounded(ctx context.Context, p *bench.Probe) error {
	r, err := attack.NewFixture(ctx, p)
	if err != nil {
		return err
	}
	defer r.Close()
	trial, err := inSession(ctx, r.Probe)
	if err != nil {
		return err
	}
	for i := range manySessions {
		answer, err := r.Probe.Send(ctx, bench.Request{Header: bench.Bearer(trial.Token)})
		switch {
		case err != nil:
			return err
		case answer.Status == http.StatusTooManyRequests || answer.Status == http.StatusServiceUnavailable:
			return nil // enough is enough
		case !answer.Succeeded():
			return r.Probe.Mismatch(
				fmt.Sprintf("session %d, or status 429 or 503", i+2),
				fmt.Sprintf("status %d", answer.Status),
			)
		}
	}
	if ended, err := over(ctx, r.Probe, trial.Session); ended || err != nil {
		return err
	}
	if r.Advance == nil {
		return &check.NotApplicable{Reason: "the rig cannot let a week pass"}
	}
	r.Advance(leftAlone)
	if ended, err := over(ctx, r.Probe, trial.Session); ended || err != nil {
		return err
	}
	return r.Probe.Mismatch(
		fmt.Sprintf("the end of the first of %d sessions, by their number or a week later", manySessions+1),
		"its list of tools",
	)
}

// A flood is so many sessions of one user, or as many as a server begins in a while.
const (
	floodSessions = 1500
	floodTime     = 20 * time.Second
)

// othersKept begins a session for one user and a flood of them for another.
func othersKept(ctx context.Context, p *bench.Probe) error {
	r, err := attack.NewFixture(ctx, p)
	if err != nil {
		return err
	}
	defer r.Close()
	victim, err := r.Probe.Token(ctx, bench.OtherUser)
	if err != nil {
		return &check.NotApplicable{Reason: "the rig has tokens of one user alone"}
	}
	trial, err := inSession(ctx, r.Probe)
	if err != nil {
		return err
	}
	kept, err := r.Probe.Open(ctx, victim)
	if err != nil {
		return err
	}
	list := func() (*bench.Answer, error) {
		request := kept.Message("tools/list", nil)
		request.Header.Set("Authorization", "Bearer "+victim)
		return r.Probe.Send(ctx, request)
	}
	before, err := list()
	switch {
	case err != nil:
		return err
	case !before.Succeeded():
		return &check.CannotJudge{Reason: fmt.Sprintf("the other user's session answers %d", before.Status)}
	}
	begun := 0
	for until := time.Now().Add(floodTime); begun < floodSessions && time.Now().Before(until); begun++ {
		answer, err := r.Probe.Send(ctx, bench.Request{Header: bench.Bearer(trial.Token)})
		if err != nil {
			return err
		}
		if !answer.Succeeded() {
			break // enough is enough
		}
	}
	after, err := list()
	if err != nil {
		return err
	}
	// Other statuses may be about the load.
	if after.Status == http.StatusNotFound || after.Status == http.StatusBadRequest {
		return r.Probe.Insecure(fmt.Sprintf("the session of a user to go on while another begins %d", begun),
			fmt.Sprintf("status %d", after.Status))
	}
	return nil
}

// over reports whether a session is not served any more, with a token of now.
func over(ctx context.Context, p *bench.Probe, session *bench.Session) (bool, error) {
	token, err := p.Token(ctx, bench.Good)
	if err != nil {
		return false, err
	}
	if _, err := p.Open(ctx, token); err != nil {
		return false, err // where nobody is served, no session is over
	}
	request := session.Message("tools/list", nil)
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := p.Send(ctx, request)
	return err == nil && !answer.Succeeded(), err
}
