package checks

import (
	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// limitsIdleChecks returns the checks of server/limits about connections that carry no request.
func limitsIdleChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:         "server/limits/idle",
				Level:      check.Policy,
				Severity:   check.High,
				Disruptive: true,
				Reference:  "OWASP API Security Top 10 2023, API4",
				Sentence:   "The server serves others while one caller holds 5,000 idle connections.",
				Covers:     []string{"RS-072"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(attack.IdleConnections),
		},
	}
}
