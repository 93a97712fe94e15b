package checks

import (
	"context"
	"fmt"
	"net/http"

	"mcpentra/conformance/engine"
)

// origin: which web pages may call a server (MCP transports, Security Warning).
func origin() []engine.Check {
	return []engine.Check{{
		ID: "server/origin/foreign", Role: engine.Server, Level: engine.Must, Revisions: []engine.Revision{engine.R20251125, engine.R20260728},
		Needs:     []engine.TokenKind{engine.Good},
		Reference: "MCP 2025-11-25 transports, Security Warning",
		Sentence:  "A request of a page of a foreign origin is refused with 403, even with a good token.",
		Run: func(ctx context.Context, p *engine.Probe) error {
			good, err := p.Control(ctx)
			if err != nil {
				return err
			}
			for _, foreign := range []string{"https://evil.example", "null"} {
				header := engine.Bearer(good)
				header.Set("Origin", foreign)
				answer, err := p.Send(ctx, engine.Request{Header: header})
				if err != nil {
					return err
				}
				if answer.Status != http.StatusForbidden {
					return p.Mismatch("status 403 to Origin "+foreign, fmt.Sprintf("status %d", answer.Status))
				}
			}
			return nil
		},
	}}
}
