package checks

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// modernChecks are checks of server/modern: that what is judged of a request is what is done, and
// in which revision (MCP transports).
func modernChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/modern/header-mismatch",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: newest,
				Reference: "MCP 2026-07-28 transports, Standard Request Headers",
				Sentence: "A request whose headers say something else than its body is refused with 400 and error " +
					"-32020, and what it asks for is not done.",
				Covers: []string{"RS-099", "server-modern-header-mismatch"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.CanaryTool},
			Run:    headerMismatch,
		},
		{
			Rule: check.Rule{
				ID:        "server/modern/unknown-method",
				Level:     check.Must,
				Revisions: newest,
				Reference: "MCP 2026-07-28 transports, Sending Messages to the Server",
				Sentence:  "A method that the server does not have is answered with 404 and error -32601.",
				Covers:    []string{"server-modern-unknown-method-404"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    modernUnknownMethod,
		},
		{
			Rule: check.Rule{
				ID:        "server/modern/get-delete",
				Level:     check.Should,
				Revisions: []check.Revision{check.R20260728},
				Reference: "MCP 2026-07-28 transports, Earlier Streamable HTTP Revisions",
				Sentence:  "A server that speaks 2026-07-28 alone answers GET and DELETE with 405.",
				Covers:    []string{"server-modern-get-delete-405"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    getAndDelete,
		},
		{
			Rule: check.Rule{
				ID:        "server/modern/no-sessions",
				Level:     check.Should,
				Severity:  check.Medium,
				Revisions: newest,
				Reference: "MCP 2026-07-28 transports, Backward Compatibility",
				Sentence: "A request of 2026-07-28 that brings a session or an event ID is served as without, and " +
					"gets no session.",
				Covers: []string{"RS-098", "server-modern-ignores-session-header"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    modernNoSessions,
		},
	}
}

// modernUnknownMethod tries server/modern/unknown-method.
func modernUnknownMethod(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	request := p.Message("no/such-method", nil)
	request.Header.Set("Authorization", "Bearer "+trial.Token)
	answer, err := p.Send(ctx, request)
	if err == nil && (answer.Status != http.StatusNotFound || errorCode(answer) != codeNoMethod) {
		return p.Mismatch(
			"status 404 with error -32601",
			fmt.Sprintf("status %d with error %d", answer.Status, errorCode(answer)),
		)
	}
	return err
}

// modernNoSessions tries server/modern/no-sessions.
func modernNoSessions(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
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

var newest = []check.Revision{check.R20260728}

func headerMismatch(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	encoded := "=?base64?" + base64.StdEncoding.EncodeToString([]byte("harmless")) + "?="
	for name, change := range map[string]map[string]string{
		"another Mcp-Method":             {"Mcp-Method": "tools/list"},
		"another Mcp-Name":               {"Mcp-Name": "harmless"},
		"another Mcp-Name, encoded":      {"Mcp-Name": encoded},
		"another Mcp-Method and -Name":   {"Mcp-Method": "prompts/get", "Mcp-Name": "harmless"},
		"no Mcp-Method":                  {"Mcp-Method": ""},
		"no Mcp-Name":                    {"Mcp-Name": ""},
		"a revision other than in _meta": {"Mcp-Protocol-Version": string(check.R20251125)},
	} {
		request := trial.Request()
		request.Header.Set("Authorization", "Bearer "+trial.Token)
		for header, value := range change {
			request.Header.Set(header, value)
			if value == "" {
				request.Header.Del(header)
			}
		}
		answer, err := trial.Denied(ctx, name, request, bench.AnyRefusal()...)
		if err != nil {
			return err
		}
		if code := errorCode(answer); answer.Status != http.StatusBadRequest ||
			code != codeHeaderMismatch && change["Mcp-Protocol-Version"] == "" {
			return p.Mismatch(
				"status 400 with error -32020: "+name,
				fmt.Sprintf("status %d with error %d", answer.Status, code),
			)
		}
	}
	return nil
}

// getAndDelete are for servers that refuse the handshake of the revisions before.
func getAndDelete(ctx context.Context, p *bench.Probe) error {
	token, err := p.Control(ctx)
	if err != nil {
		return err
	}
	older := p.WithRevision(check.R20251125)
	answer, err := older.Send(ctx, bench.Request{Header: bench.Bearer(token)})
	if err != nil {
		return err
	}
	if answer.Succeeded() {
		return &check.NotApplicable{Reason: "the server speaks the revisions before too"}
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
