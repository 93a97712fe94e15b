package checks

import (
	"context"
	"fmt"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// sessionIdChecks returns the checks of server/session about session IDs.
func sessionIdChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/session/own-ids",
				Level:     check.Should,
				Severity:  check.Medium,
				Revisions: before(check.R20260728),
				Reference: "MCP transports, Session Management",
				Sentence: "The server chooses its session IDs, and does not adopt one that the client sends " +
					"with initialize.",
				Covers: []string{"RS-096"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    sessionOwnIDs,
		},
		{
			Rule: check.Rule{
				ID:        "server/session/visible-ascii",
				Level:     check.Must,
				Revisions: before(check.R20260728),
				Reference: "MCP transports, Session Management",
				Sentence:  "A session ID consists of visible ASCII characters.",
				Covers:    []string{"server-session-visible-ascii"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    sessionVisibleASCII,
		},
		{
			Rule: check.Rule{
				ID:        "server/session/unpredictable",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: before(check.R20260728),
				Reference: "MCP security best practices, Session Hijacking",
				Sentence:  "Session IDs do not repeat and cannot be guessed. In 2025-03-26 this is a SHOULD.",
				Covers:    []string{"RS-096", "server-session-random"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Slow:   true,
			Run:    sessionUnpredictable,
		},
	}
}

// sessionOwnIDs sends a session ID with initialize.
func sessionOwnIDs(ctx context.Context, p *bench.Probe) error {
	trial, err := attack.SessionTrial(ctx, p)
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

// sessionVisibleASCII tries server/session/visible-ascii.
func sessionVisibleASCII(ctx context.Context, p *bench.Probe) error {
	trial, err := attack.SessionTrial(ctx, p)
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

// sessionUnpredictable opens and ends sessions.
func sessionUnpredictable(ctx context.Context, p *bench.Probe) error {
	trial, err := attack.SessionTrial(ctx, p)
	if err != nil {
		return err
	}
	err = attack.WantUnpredictable(p, "session ID", func() (string, error) {
		session, err := p.Open(ctx, trial.Token)
		if err != nil {
			return "", err
		}
		_, err = p.Send(ctx, attack.DeleteRequest(session, trial.Token))
		return session.ID, err
	})
	if p.Revision == check.R20250326 {
		return inputs.Graded(err, check.Should, "") // the MUST came with the security best practices of 2025-06-18
	}
	return err
}
