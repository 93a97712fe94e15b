package checks

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// modernChecks returns the checks of server/modern: the rules that came with MCP 2026-07-28, where
// headers repeat the body and no sessions exist.
func modernChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/modern/header-mismatch",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: since(check.R20260728),
				Reference: "MCP 2026-07-28 transports, Standard Request Headers",
				Sentence: "A request whose headers contradict its body is refused with 400 and error " +
					"-32020, and has no effect.",
				Covers: []string{"RS-099", "server-modern-header-mismatch"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.CanaryTool},
			Run:    attack.WithTrial(modernHeaderMismatch),
		},
		{
			Rule: check.Rule{
				ID:        "server/modern/unknown-method",
				Level:     check.Must,
				Revisions: since(check.R20260728),
				Reference: "MCP 2026-07-28 transports, Sending Messages to the Server",
				Sentence:  "A method that the server does not have is answered with 404 and error -32601.",
				Covers:    []string{"server-modern-unknown-method-404"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(modernUnknownMethod),
		},
		{
			Rule: check.Rule{
				ID:        "server/modern/get-delete",
				Level:     check.Should,
				Revisions: since(check.R20260728),
				Reference: "MCP 2026-07-28 transports, Earlier Streamable HTTP Revisions",
				Sentence:  "A server that speaks 2026-07-28 alone answers GET and DELETE with 405.",
				Covers:    []string{"server-modern-get-delete-405", "RS-098"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    modernGetDelete,
		},
		{
			Rule: check.Rule{
				ID:        "server/modern/no-sessions",
				Level:     check.Should,
				Severity:  check.Medium,
				Revisions: since(check.R20260728),
				Reference: "MCP 2026-07-28 transports, Backward Compatibility",
				Sentence: "A server that speaks 2026-07-28 alone serves a request with a session ID or an event " +
					"ID as if it had none, and starts no session.",
				Covers: []string{"RS-098", "server-modern-ignores-session-header"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(modernNoSessions),
		},
	}
}

// modernHeaderMismatch sends calls whose headers differ from their bodies.
func modernHeaderMismatch(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	encoded := "=?base64?" + base64.StdEncoding.EncodeToString([]byte("harmless")) + "?="
	mismatches := []headerMismatch{
		{"another Mcp-Method", map[string]string{"Mcp-Method": "tools/list"}, ""},
		{"another Mcp-Name", map[string]string{"Mcp-Name": "harmless"}, ""},
		{"another Mcp-Name, encoded", map[string]string{"Mcp-Name": encoded}, ""},
		{"another Mcp-Method and -Name", map[string]string{"Mcp-Method": "prompts/get", "Mcp-Name": "harmless"}, ""},
		{"no Mcp-Method", map[string]string{"Mcp-Method": ""}, check.Low},
		{"no Mcp-Name", map[string]string{"Mcp-Name": ""}, check.Low},
		{
			"a revision other than in _meta",
			map[string]string{"Mcp-Protocol-Version": string(check.R20251125)},
			check.Low,
		},
	}
	return inputs.TryAll(mismatches, func(mismatch headerMismatch) error {
		return inputs.Graded(mismatch.try(ctx, p, trial), "", mismatch.severity)
	})
}

// A headerMismatch is a way in which headers contradict the body.
type headerMismatch struct {
	name     string
	headers  map[string]string // an empty value removes the header
	severity check.Severity    // empty means the check's
}

// try sends a call with the headers.
func (m *headerMismatch) try(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	request := attack.WithToken(trial.Token, trial.Request())
	for header, value := range m.headers {
		request.Header.Set(header, value)
		if value == "" {
			request.Header.Del(header)
		}
	}
	answer, err := trial.WantRefused(ctx, m.name, request, bench.AnyRefusal()...)
	if err != nil {
		return err
	}
	code := attack.ErrorCode(answer)
	isExpected := code == attack.CodeHeaderMismatch || m.headers["Mcp-Protocol-Version"] != ""
	if answer.Status != http.StatusBadRequest || !isExpected {
		return p.Mismatch(
			"status 400 with error -32020: "+m.name,
			fmt.Sprintf("status %d with error %d", answer.Status, code),
		)
	}
	return nil
}

// modernUnknownMethod tries server/modern/unknown-method.
func modernUnknownMethod(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	answer, err := p.Send(ctx, attack.WithToken(trial.Token, p.Message("unknown/method", nil)))
	if err != nil {
		return err
	}
	code := attack.ErrorCode(answer)
	if answer.Status != http.StatusNotFound || code != attack.CodeMethodNotFound {
		return p.Mismatch("status 404 with error -32601", fmt.Sprintf("status %d with error %d", answer.Status, code))
	}
	return nil
}

// modernGetDelete applies to servers that refuse the handshake of the earlier revisions.
func modernGetDelete(ctx context.Context, p *bench.Probe) error {
	token, err := p.Control(ctx)
	if err != nil {
		return err
	}
	if err := wantModernOnly(ctx, p, token); err != nil {
		return err
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		answer, err := p.Send(ctx, bench.Request{Method: method, Header: bench.Bearer(token)})
		if err != nil {
			return err
		}
		if answer.Status != http.StatusMethodNotAllowed {
			return p.Mismatch("status 405 to "+method, fmt.Sprintf("status %d", answer.Status))
		}
	}
	return nil
}

// wantModernOnly skips a server that speaks earlier revisions too. Those have sessions.
func wantModernOnly(ctx context.Context, p *bench.Probe, token string) error {
	for _, revision := range before(check.R20260728) {
		answer, err := p.WithRevision(revision).Send(ctx, bench.Request{Header: bench.Bearer(token)})
		if err != nil {
			return err
		}
		if answer.Succeeded() {
			return &check.NotApplicable{Reason: "the server speaks earlier revisions too"}
		}
	}
	return nil
}

// modernNoSessions tries server/modern/no-sessions.
func modernNoSessions(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	if err := wantModernOnly(ctx, p, trial.Token); err != nil {
		return err
	}
	request := trial.Request()
	request.Header.Set("Authorization", "Bearer "+trial.Token)
	request.Header.Set("Mcp-Session-Id", "made-up")
	request.Header.Set("Last-Event-Id", "made-up")
	answer, err := p.Send(ctx, request)
	switch {
	case err != nil:
		return err
	case !answer.Succeeded():
		return p.Mismatch("the result", fmt.Sprintf("status %d", answer.Status))
	case answer.Header.Get("Mcp-Session-Id") != "":
		return p.Mismatch("no Mcp-Session-Id", "one")
	}
	return nil
}
