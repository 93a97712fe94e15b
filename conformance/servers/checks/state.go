package checks

import (
	"context"
	"fmt"
	"net/http"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// stateChecks returns the checks of server/state: the handles with which a tool hands out state
// (MCP security best practices, State Handle Hijacking).
func stateChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/state/other-user",
				Level:     check.Should,
				Severity:  check.Critical,
				Reference: "MCP security best practices, State Handle Hijacking",
				Sentence: "State belongs to its user: another user's token with the handle can neither use " +
					"nor change it.",
				Covers: []string{"RS-102", "server-state-handle-bound"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Needs:  []bench.Need{bench.HandleTools},
			Run:    stateOtherUser,
		},
		{
			Rule: check.Rule{
				ID:        "server/state/not-authentication",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP security best practices, State Handle Hijacking",
				Sentence:  "A request with a handle but without a good token is refused.",
				Covers:    []string{"RS-102", "server-state-handle-not-auth"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.HandleTools},
			Run:    stateNotAuthentication,
		},
		{
			Rule: check.Rule{
				ID:        "server/state/unpredictable",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "MCP security best practices, State Handle Hijacking",
				Sentence:  "Handles do not repeat and cannot be guessed.",
				Covers:    []string{"RS-102", "server-state-handle-random"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.HandleTools},
			Run:    stateUnpredictable,
		},
	}
}

// stateOtherUser uses the handle as another user, and then as its owner.
func stateOtherUser(ctx context.Context, p *bench.Probe) error {
	owner, err := makeState(ctx, p)
	if err != nil {
		return err
	}
	other, err := p.OpenAs(ctx, bench.OtherUser)
	if err != nil {
		return err
	}
	answer, err := p.Send(ctx, attack.WithToken(other.Token, owner.use(p, other)))
	if err != nil {
		return err
	}
	if _, succeeded := attack.ToolText(answer); succeeded {
		return p.Insecure("a refusal, or a tool's error, for another user's handle", "a result")
	}
	answer, err = p.Send(ctx, attack.WithToken(owner.session.Token, owner.use(p, owner.session)))
	if err != nil {
		return err
	}
	if _, succeeded := attack.ToolText(answer); !succeeded {
		return p.Mismatch(
			"a result for its owner after another user tried to use the state",
			fmt.Sprintf("status %d and no result", answer.Status),
		)
	}
	return nil
}

// makeState makes state for the good token's user, and shows that the user can use it.
func makeState(ctx context.Context, p *bench.Probe) (*stateOwner, error) {
	session, err := p.OpenAs(ctx, bench.Good)
	if err != nil {
		return nil, err
	}
	owner := &stateOwner{session: session}
	owner.handle, err = owner.makeHandle(ctx, p)
	if err != nil {
		return nil, err
	}
	used, err := p.Send(ctx, attack.WithToken(session.Token, owner.use(p, session)))
	if err != nil {
		return nil, err
	}
	if _, succeeded := attack.ToolText(used); !succeeded {
		return nil, &check.CannotJudge{
			Reason: fmt.Sprintf("the control failed: its owner cannot use the state (status %d)", used.Status),
		}
	}
	return owner, nil
}

// makeHandle makes more state, and returns its handle.
func (o *stateOwner) makeHandle(ctx context.Context, p *bench.Probe) (string, error) {
	params := map[string]any{"name": p.Handles().Make, "arguments": map[string]any{}}
	answer, err := p.Send(ctx, attack.WithToken(o.session.Token, o.session.Message("tools/call", params)))
	if err != nil {
		return "", err
	}
	handle, succeeded := attack.ToolText(answer)
	if !succeeded || handle == "" {
		return "", &check.CannotJudge{
			Reason: fmt.Sprintf("the control failed: the tool returns no handle (status %d)", answer.Status),
		}
	}
	return handle, nil
}

// use returns a call with the handle in a session, without credentials.
func (o *stateOwner) use(p *bench.Probe, session *bench.Session) bench.Request {
	arguments := map[string]any{"handle": o.handle}
	return session.Message("tools/call", map[string]any{"name": p.Handles().Use, "arguments": arguments})
}

// stateNotAuthentication uses the handle without a good token.
func stateNotAuthentication(ctx context.Context, p *bench.Probe) error {
	owner, err := makeState(ctx, p)
	if err != nil {
		return err
	}
	for _, caller := range []struct{ name, credentials string }{
		{"no token", ""},
		{"a bad token", "Bearer " + attack.MalformedJWT},
		{"the handle as token", "Bearer " + owner.handle},
	} {
		request := owner.use(p, owner.session)
		if caller.credentials != "" {
			request.Header.Set("Authorization", caller.credentials)
		}
		answer, err := p.Send(ctx, request)
		if err != nil {
			return err
		}
		want := "status 401: a handle and " + caller.name
		switch answer.Status {
		case http.StatusUnauthorized, http.StatusBadRequest:
			continue
		}
		if answer.Status/100 == 2 {
			return p.Insecure(want, fmt.Sprintf("status %d", answer.Status))
		}
		return p.Mismatch(want, fmt.Sprintf("status %d", answer.Status))
	}
	return nil
}

// stateUnpredictable tries server/state/unpredictable.
func stateUnpredictable(ctx context.Context, p *bench.Probe) error {
	owner, err := makeState(ctx, p)
	if err != nil {
		return err
	}
	return attack.WantUnpredictable(p, "handle", func() (string, error) { return owner.makeHandle(ctx, p) })
}

// A stateOwner has made state, and holds its handle.
type stateOwner struct {
	session *bench.Session
	handle  string
}
