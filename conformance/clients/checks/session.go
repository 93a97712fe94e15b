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
				Sentence: "The session ID is in every request after initialize, also in one that is sent again " +
					"after a refusal.",
				Covers: []string{"client-session-id-sent"},
			},
			Run: judge(lab.Script{OldTokens: 1}, func(l *lab.Lab) error {
				begun := false
				for _, one := range l.Endpoint() {
					if one.RPC == "initialize" {
						begun = begun || one.Status == http.StatusOK
						continue
					}
					if begun && one.Header.Get("Mcp-Session-Id") == "" && one.Method != http.MethodOptions &&
						one.RPC != "server/discover" {
						return l.Mismatch("Mcp-Session-Id", fmt.Sprintf("none in %s %s", one.Method, one.RPC))
					}
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/session/begun-anew",
				Level:     check.Must,
				Revisions: handshake,
				Reference: "MCP 2025-11-25 transports, Session Management",
				Sentence:  "When its session is gone a client begins a new one, without a session ID.",
				Covers:    []string{"client-session-404-restarts"},
			},
			Run: sessionGone,
		},
		{
			Rule: check.Rule{
				ID:        "client/session/protected",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: handshake,
				Reference: "MCP 2025-11-25 transports, Session Management",
				Sentence:  "The session ID is in no address, and comes to no other origin.",
				Covers:    []string{"client-session-id-protected"},
			},
			Run: judge(lab.Script{OldTokens: 1}, func(l *lab.Lab) error {
				for _, one := range l.Endpoint() {
					id := one.Header.Get("Mcp-Session-Id")
					if id == "" {
						continue
					}
					if astray := l.Find(func(r *lab.Request) bool {
						return !l.AtEndpoint(r) && r.Contains(id) || strings.Contains(r.Query.Encode(), id)
					}); len(astray) > 0 {
						return l.Insecure(
							"the session ID at the MCP endpoint alone",
							fmt.Sprintf("it came to the %s, %s", astray[0].Party, astray[0].Path),
						)
					}
				}
				return nil
			}),
		},
	}
}

func sessionGone(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	first := ""
	l := try(
		ctx,
		p,
		lab.Script{Intercept: func(l *lab.Lab, r *lab.Request, _ http.ResponseWriter, _ *http.Request) bool {
			if id := r.Header.Get("Mcp-Session-Id"); r.RPC == "tools/call" && (first == "" || first == id) &&
				r.Bearer() != "" {
				first = id
				l.EndSession(r)
			}
			return false
		}},
	)
	gone := false
	for _, one := range l.Endpoint() {
		switch {
		case one.Status == http.StatusNotFound && one.Header.Get("Mcp-Session-Id") != "":
			gone = true
		case gone && one.RPC == "initialize" && one.Header.Get("Mcp-Session-Id") == "":
			return nil
		}
	}
	if !gone {
		return &check.CannotJudge{Reason: "the client did not come as far as a call in its session", Err: ending(l)}
	}
	return l.Mismatch("initialize, without a session ID, after the 404", fmt.Sprintf("none: %v", ending(l)))
}
