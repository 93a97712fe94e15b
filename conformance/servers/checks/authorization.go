package checks

import (
	"context"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// authorizationChecks returns the checks of server/authorization: whether a server has
// authorization in the sense of MCP at all.
func authorizationChecks() []bench.Check {
	return []bench.Check{{
		Rule: check.Rule{
			ID:        "server/authorization/required",
			Level:     check.Policy,
			Reference: "MCP authorization, Protocol Requirements",
			Sentence: "The server asks for OAuth access tokens. MCP leaves authorization to the server, but " +
				"other rules judge only a server that has it.",
		},
		Run: authorizationRequired,
	}}
}

// authorizationRequired tries server/authorization/required.
func authorizationRequired(ctx context.Context, p *bench.Probe) error {
	if asks := p.Survey(ctx).Asks; asks != bench.AsksForTokens {
		return p.Mismatch(bench.AsksForTokens.String(), asks.String())
	}
	return nil
}
