package checks

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// sessionChecks are checks of client/session.
func sessionChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "client/session/repeated",
				Level:        check.Must,
				Revisions:    handshake,
				EachRevision: true,
				Reference:    "MCP 2025-11-25 transports, Session Management",
				Sentence: "Every request after initialize has the session ID, also when the client repeats " +
					"it after a refusal.",
				Covers: []string{"client-session-id-sent"},
			},
			Needs: []bench.Need{bench.Calling},
			Run:   judge(lab.Script{ExpiredTokens: 1}, wantSessionID),
		},
		{
			Rule: check.Rule{
				ID:        "client/session/begun-anew",
				Level:     check.Must,
				Revisions: handshake,
				Reference: "MCP 2025-11-25 transports, Session Management",
				Sentence:  "When its session has ended, a client starts a new one without a session ID.",
				Covers:    []string{"client-session-404-restarts"},
			},
			Needs: []bench.Need{bench.Calling},
			Run:   sessionGone,
		},
		{
			Rule: check.Rule{
				ID:        "client/session/protected",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: handshake,
				Reference: "MCP 2025-11-25 transports, Session Management",
				Sentence:  "The session ID is in no URL, and reaches no other origin (SHOULD before 2025-11-25).",
				Covers:    []string{"client-session-id-protected"},
			},
			Needs: []bench.Need{bench.Calling},
			Run:   sessionProtected,
		},
	}
}

// wantSessionID wants the session ID in each request after initialize.
func wantSessionID(l *lab.Lab) error {
	for _, request := range afterInitialize(l, check.R20251125) {
		if request.Header.Get("Mcp-Session-Id") == "" {
			return l.Mismatch("Mcp-Session-Id", fmt.Sprintf("none in %s %s", request.Method, request.RPC))
		}
	}
	return nil
}

// afterInitialize returns the requests of a client that has read the answer to initialize. A client
// may open a stream earlier, so a GET counts once the client has sent the session ID.
func afterInitialize(l *lab.Lab, revision check.Revision) []lab.Request {
	initialized := false
	sentID := false
	var after []lab.Request
	for _, request := range l.Endpoint() {
		if request.RPC == "initialize" {
			initialized = request.Status == http.StatusOK
			sentID = false
			continue
		}
		sentID = sentID || request.Header.Get("Mcp-Session-Id") != ""
		isEarly := !initialized || request.Method == http.MethodGet && !sentID
		if !isEarly && !isProbe(request, revision) && request.RPC != "server/discover" {
			after = append(after, request)
		}
	}
	return after
}

// sessionProtected tries client/session/protected. The MUST came with MCP 2025-11-25.
func sessionProtected(ctx context.Context, p *bench.Probe) error {
	run := judge(lab.Script{ExpiredTokens: 1}, wantSessionIDAtEndpoint)
	if p.Revision != check.R20251125 {
		run = graded(check.Should, "", run)
	}
	return run(ctx, p)
}

// wantSessionIDAtEndpoint wants the session ID in no URL and at no other party.
func wantSessionIDAtEndpoint(l *lab.Lab) error {
	for _, request := range l.Endpoint() {
		id := request.Header.Get("Mcp-Session-Id")
		if id == "" {
			continue
		}
		leaks := l.Find(func(r *lab.Request) bool {
			return !l.AtEndpoint(r) && r.Contains(id) || strings.Contains(r.Query.Encode(), id)
		})
		if len(leaks) > 0 {
			return l.Insecure(
				"the session ID at the MCP endpoint only",
				fmt.Sprintf("it was sent to the %s, %s", leaks[0].Party, leaks[0].Path),
			)
		}
	}
	return nil
}

// sessionGone tries client/session/begun-anew. It ends the first session during the tool call.
func sessionGone(ctx context.Context, p *bench.Probe) error {
	if err := wantControl(ctx, p, lab.Script{}); err != nil {
		return err
	}
	first := ""
	endFirst := func(l *lab.Lab, r *lab.Request, _ http.ResponseWriter, _ *http.Request) bool {
		id := r.Header.Get("Mcp-Session-Id")
		if r.RPC == "tools/call" && r.Bearer() != "" && (first == "" || first == id) {
			first = id
			l.EndSession(r)
		}
		return false
	}
	l := runClient(ctx, p, lab.Script{Intercept: endFirst})
	gone := false
	for _, request := range l.Endpoint() {
		switch {
		case request.Status == http.StatusNotFound && request.Header.Get("Mcp-Session-Id") != "":
			gone = true
		case gone && request.RPC == "initialize" && request.Header.Get("Mcp-Session-Id") == "":
			return nil
		}
	}
	if !gone {
		return &check.CannotJudge{Reason: "the client did not reach a call in its session", Err: ending(l)}
	}
	return l.Mismatch("initialize without a session ID after the 404", fmt.Sprintf("none: %v", ending(l)))
}
