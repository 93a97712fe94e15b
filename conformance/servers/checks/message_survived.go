package checks

import (
	"context"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// messageSurvivedChecks returns the checks of server/message about messages that may end a server.
func messageSurvivedChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/message/survived",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "CWE-248; CVE-2025-53366; CVE-2025-53365",
				Sentence:  "The server still serves after malformed messages, and after a caller that left early.",
				Covers:    []string{"RS-071"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(messageSurvived),
		},
	}
}

// malformedMessages are bodies that a server may read without a check of their types.
var malformedMessages = []string{
	"{",
	"null",
	`"text"`,
	"{}",
	`{"jsonrpc":"2.0","id":1}`,
	`{"jsonrpc":"2.0","id":{},"method":"ping"}`,
	`{"jsonrpc":"2.0","id":1,"method":5}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":{},"arguments":1}}`,
	`{"jsonrpc":"2.0","method":"notifications/cancelled","params":null}`,
	`{"jsonrpc":"2.0","id":1,"error":5}`,
}

// messageSurvived sends malformed messages, and leaves in the middle of a good one. It wants good
// requests served afterwards.
func messageSurvived(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	for _, text := range malformedMessages {
		request := attack.WithToken(trial.Token, trial.Request())
		request.Body = []byte(text)
		if _, err := p.Raw(ctx, p.Wire(request)); err != nil {
			return err
		}
	}
	if err := attack.LeaveEarly(ctx, p, p.Wire(attack.WithToken(trial.Token, trial.Request()))); err != nil {
		return err
	}
	return attack.StillServes(ctx, p, trial)
}
