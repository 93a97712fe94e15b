package checks

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"mcpentra/conformance/engine"
)

// withSessions are the revisions that have sessions.
var withSessions = []engine.Revision{engine.R20250326, engine.R20250618, engine.R20251125}

// session: what a session ID is worth (MCP transports, Session Management; MCP security best practices, Session Hijacking).
func session() []engine.Check {
	good := []engine.TokenKind{engine.Good}
	const hijacking = "MCP security best practices, Session Hijacking"
	const management = "MCP transports, Session Management"
	return []engine.Check{
		{
			ID: "server/session/not-authentication", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Revisions: withSessions, EachRevision: true,
			Needs: []engine.TokenKind{engine.Good, engine.Expired}, Covers: []string{"RS-095", "server-session-not-auth", "server-verify-every-request", "server-auth-notifications"},
			Reference: hijacking + "; MCP authorization, Token Requirements",
			Sentence:  "What was proven when a session began counts for nothing later: each request needs its token.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				trial, err := p.Trial(ctx)
				if err != nil {
					return err
				}
				expired, err := p.Token(ctx, engine.Expired)
				if err != nil {
					return err
				}
				want := []int{http.StatusUnauthorized, http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound}
				return deny(ctx, p, trial, want,
					vector{name: "a session and no token"},
					vector{name: "a session and an expired token", change: authorization(func(string) string { return "Bearer " + expired })},
					vector{name: "a list of tools with an expired token", change: func(r *engine.Request, _ string) {
						*r = trial.Session.Message("tools/list", nil)
						r.Header.Set("Authorization", "Bearer "+expired)
					}},
					vector{name: "a session and a bad token", change: authorization(func(string) string { return "Bearer " + bad })},
					vector{name: "a list of tools without a token", change: func(r *engine.Request, _ string) { *r = trial.Session.Message("tools/list", nil) }},
				)
			},
		},
		{
			ID: "server/session/other-user", Role: engine.Server, Level: engine.Should, Severity: engine.Critical, Revisions: withSessions,
			Needs: []engine.TokenKind{engine.Good, engine.OtherUser}, Covers: []string{"RS-093", "server-session-user-bound"},
			Reference: hijacking,
			Sentence:  "A session is its user's: another user's token does not get into it, and cannot end it.",
			Run:       otherUser,
		},
		{
			ID: "server/session/refreshed-token", Role: engine.Server, Level: engine.Policy, Severity: engine.High, Revisions: withSessions,
			Needs: []engine.TokenKind{engine.Good, engine.Refreshed}, Covers: []string{"RS-094"},
			Reference: hijacking,
			Sentence:  "A session goes on with the next token of the same user.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				trial, err := inSession(ctx, p)
				if err != nil {
					return err
				}
				next, err := p.Token(ctx, engine.Refreshed)
				if err != nil {
					return err
				}
				return stillServed(ctx, p, trial.Session, next, "the next token of the same user")
			},
		},
		{
			ID: "server/session/own-ids", Role: engine.Server, Level: engine.Should, Severity: engine.Medium, Revisions: withSessions, Needs: good, Covers: []string{"RS-096"},
			Reference: management,
			Sentence:  "The server chooses its session IDs: one that the client brings to initialize is not taken over.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				trial, err := inSession(ctx, p)
				if err != nil {
					return err
				}
				const chosen = "chosen-by-the-client"
				request := engine.Request{Header: engine.Bearer(trial.Token)}
				request.Header.Set("Mcp-Session-Id", chosen)
				answer, err := p.Send(ctx, request)
				if err == nil && answer.Header.Get("Mcp-Session-Id") == chosen {
					return p.Insecure("a session ID of the server's own", "the one that the client chose")
				}
				return err
			},
		},
		{
			ID: "server/session/visible-ascii", Role: engine.Server, Level: engine.Must, Revisions: withSessions, Needs: good, Covers: []string{"server-session-visible-ascii"},
			Reference: management,
			Sentence:  "A session ID consists of visible ASCII characters.",
			Run: func(ctx context.Context, p *engine.Probe) error {
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
			},
		},
		{
			ID: "server/session/unpredictable", Role: engine.Server, Level: engine.Must, Severity: engine.Medium, Revisions: withSessions, Needs: good,
			Covers:    []string{"RS-096", "server-session-random"},
			Reference: hijacking,
			Sentence:  "Session IDs do not repeat and cannot be guessed.",
			Run:       unpredictable,
		},
		{
			ID: "server/session/bounded", Role: engine.Server, Level: engine.Policy, Severity: engine.High, Revisions: withSessions, Needs: good, NeedsRig: true, Disruptive: true,
			Covers:    []string{"RS-097"},
			Reference: hijacking + "; OWASP API Security Top 10 2023, API4",
			Sentence:  "Sessions that nobody ends come to an end: by their number, or when nobody has used them for a week.",
			Run:       bounded,
		},
		{
			ID: "server/session/others-kept", Role: engine.Server, Level: engine.Policy, Severity: engine.High,
			Revisions: withSessions, Needs: []engine.TokenKind{engine.Good, engine.OtherUser},
			NeedsRig: true, Disruptive: true, Covers: []string{"RS-097"},
			Reference: hijacking + "; OWASP API Security Top 10 2023, API4",
			Sentence:  "However many sessions one user begins, another user's session goes on.",
			Run:       othersKept,
		},
		{
			ID: "server/session/missing", Role: engine.Server, Level: engine.Should, Revisions: withSessions, Needs: good, Covers: []string{"server-session-missing-400"},
			Reference: management,
			Sentence:  "A request that lacks the session ID which the server needs is refused with 400.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				trial, err := inSession(ctx, p)
				if err != nil {
					return err
				}
				request := p.Message("tools/list", nil)
				request.Header.Set("Authorization", "Bearer "+trial.Token)
				answer, err := p.Send(ctx, request)
				if err == nil && answer.Status != http.StatusBadRequest && answer.Status != http.StatusOK {
					return p.Mismatch("status 400, or the result where no session is needed", fmt.Sprintf("status %d", answer.Status))
				}
				return err
			},
		},
		{
			ID: "server/session/ended", Role: engine.Server, Level: engine.Must, Revisions: withSessions, Needs: good, Covers: []string{"server-session-terminated-404"},
			Reference: management,
			Sentence:  "A session that was ended is answered with 404.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				trial, err := inSession(ctx, p)
				if err != nil {
					return err
				}
				if err := stillServed(ctx, p, trial.Session, trial.Token, "a session that is under way"); err != nil {
					return &engine.CannotJudge{Reason: "the session does not work before it is ended", Err: err}
				}
				ended, err := p.Send(ctx, ending(p, trial.Session, trial.Token))
				if err != nil {
					return err
				}
				if ended.Status == http.StatusMethodNotAllowed {
					return &engine.NotApplicable{Reason: "the server lets no client end a session"}
				}
				request := trial.Session.Message("tools/list", nil)
				request.Header.Set("Authorization", "Bearer "+trial.Token)
				answer, err := p.Send(ctx, request)
				if err == nil && answer.Status != http.StatusNotFound {
					return p.Mismatch("status 404", fmt.Sprintf("status %d", answer.Status))
				}
				return err
			},
		},
		{
			ID: "server/session/ending-needs-token", Role: engine.Server, Level: engine.Must, Severity: engine.High, Revisions: withSessions, Needs: good,
			Covers:    []string{"server-auth-delete-session"},
			Reference: "MCP authorization, Token Requirements",
			Sentence:  "Nobody ends a session without a token.",
			Run: func(ctx context.Context, p *engine.Probe) error {
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
				return stillServed(ctx, p, trial.Session, trial.Token, "its owner's token, after somebody without one tried to end it")
			},
		},
		{
			ID: "server/stream/needs-token", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Revisions: withSessions, Needs: good,
			Covers:    []string{"server-auth-get-stream", "RS-095"},
			Reference: "MCP authorization, Token Requirements",
			Sentence:  "Nobody opens or resumes the listening stream without a token.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				trial, err := p.Trial(ctx)
				if err != nil {
					return err
				}
				for _, credentials := range []string{"", "Bearer " + bad} {
					for _, event := range []string{"", "1"} {
						request := listening(trial.Session, "")
						if credentials != "" {
							request.Header.Set("Authorization", credentials)
						}
						if event != "" {
							request.Header.Set("Last-Event-Id", event)
						}
						answer, err := p.Send(ctx, request)
						if err != nil {
							return err
						}
						if answer.Status/100 == 2 {
							return p.Insecure("status 401, or 405", fmt.Sprintf("status %d", answer.Status))
						}
						if answer.Status != http.StatusUnauthorized && answer.Status != http.StatusMethodNotAllowed {
							return p.Mismatch("status 401, or 405", fmt.Sprintf("status %d", answer.Status))
						}
					}
				}
				return nil
			},
		},
	}
}

// inSession is a trial with a server that keeps sessions.
func inSession(ctx context.Context, p *engine.Probe) (*engine.Trial, error) {
	trial, err := p.Trial(ctx)
	if err == nil && trial.Session.ID == "" {
		return nil, &engine.NotApplicable{Reason: "the server keeps no sessions"}
	}
	return trial, err
}

// stillServed wants a session served with a token. What is served is said in words.
func stillServed(ctx context.Context, p *engine.Probe, session *engine.Session, token, what string) error {
	request := session.Message("tools/list", nil)
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := p.Send(ctx, request)
	if err == nil && answer.Status != http.StatusOK {
		return p.Mismatch("status 200 with "+what, fmt.Sprintf("status %d", answer.Status))
	}
	return err
}

func ending(p *engine.Probe, session *engine.Session, token string) engine.Request {
	request := listening(session, token)
	request.Method = http.MethodDelete
	return request
}

// listening is the GET that opens the listening stream of a session.
func listening(session *engine.Session, token string) engine.Request {
	header := http.Header{"Accept": {"text/event-stream"}, "Mcp-Session-Id": {session.ID}}
	if session.ID == "" {
		delete(header, "Mcp-Session-Id")
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return engine.Request{Method: http.MethodGet, Header: header}
}

// otherUser tries to get into a session, by every method.
func otherUser(ctx context.Context, p *engine.Probe) error {
	trial, err := inSession(ctx, p)
	if err != nil {
		return err
	}
	other, err := p.Token(ctx, engine.OtherUser)
	if err != nil {
		return err
	}
	if _, err := p.Open(ctx, other); err != nil {
		return &engine.CannotJudge{Reason: "the other user's token does not work in a session of its own", Err: err}
	}
	as := func(method string) vector {
		return vector{name: method + " by another user", change: func(r *engine.Request, _ string) {
			if method == http.MethodPost {
				*r = trial.Session.Message("tools/list", nil)
				r.Header.Set("Authorization", "Bearer "+other)
				return
			}
			*r = listening(trial.Session, other)
			r.Method = method
		}}
	}
	if err := deny(ctx, p, trial, engine.AnyRefusal(), as(http.MethodPost), as(http.MethodGet), as(http.MethodDelete)); err != nil {
		return err
	}
	return stillServed(ctx, p, trial.Session, trial.Token, "its owner's token, after another user tried to get in")
}

// sessionSample is how many IDs are looked at.
const sessionSample = 50

func unpredictable(ctx context.Context, p *engine.Probe) error {
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

// bounded begins sessions and ends none. What a server holds in memory does not show; whether the first session is still there does.
func bounded(ctx context.Context, p *engine.Probe) error {
	r, err := newRig(ctx, p)
	if err != nil {
		return err
	}
	defer r.Close()
	trial, err := inSession(ctx, r.probe)
	if err != nil {
		return err
	}
	for i := range manySessions {
		answer, err := r.probe.Send(ctx, engine.Request{Header: engine.Bearer(trial.Token)})
		switch {
		case err != nil:
			return err
		case answer.Status == http.StatusTooManyRequests || answer.Status == http.StatusServiceUnavailable:
			return nil // enough is enough
		case !answer.Succeeded():
			return r.probe.Mismatch(fmt.Sprintf("session %d, or status 429 or 503", i+2), fmt.Sprintf("status %d", answer.Status))
		}
	}
	if ended, err := over(ctx, r.probe, trial.Session); ended || err != nil {
		return err
	}
	if r.Advance == nil {
		return &engine.NotApplicable{Reason: "the rig cannot let a week pass"}
	}
	r.Advance(leftAlone)
	if ended, err := over(ctx, r.probe, trial.Session); ended || err != nil {
		return err
	}
	return r.probe.Mismatch(fmt.Sprintf("the end of the first of %d sessions, by their number or a week later", manySessions+1), "its list of tools")
}

// A flood is so many sessions of one user, or as many as a server begins in a while.
const (
	floodSessions = 1500
	floodTime     = 20 * time.Second
)

// othersKept begins a session for one user and a flood of them for another.
func othersKept(ctx context.Context, p *engine.Probe) error {
	r, err := newRig(ctx, p)
	if err != nil {
		return err
	}
	defer r.Close()
	victim, err := r.probe.Token(ctx, engine.OtherUser)
	if err != nil {
		return &engine.NotApplicable{Reason: "the rig has tokens of one user alone"}
	}
	trial, err := inSession(ctx, r.probe)
	if err != nil {
		return err
	}
	kept, err := r.probe.Open(ctx, victim)
	if err != nil {
		return err
	}
	list := func() (*engine.Answer, error) {
		request := kept.Message("tools/list", nil)
		request.Header.Set("Authorization", "Bearer "+victim)
		return r.probe.Send(ctx, request)
	}
	before, err := list()
	switch {
	case err != nil:
		return err
	case !before.Succeeded():
		return &engine.CannotJudge{Reason: fmt.Sprintf("the other user's session answers %d", before.Status)}
	}
	begun := 0
	for until := time.Now().Add(floodTime); begun < floodSessions && time.Now().Before(until); begun++ {
		answer, err := r.probe.Send(ctx, engine.Request{Header: engine.Bearer(trial.Token)})
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
		return r.probe.Insecure(fmt.Sprintf("the session of a user to go on while another begins %d", begun),
			fmt.Sprintf("status %d", after.Status))
	}
	return nil
}

// over reports whether a session is not served any more, with a token of now.
func over(ctx context.Context, p *engine.Probe, session *engine.Session) (bool, error) {
	token, err := p.Token(ctx, engine.Good)
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
