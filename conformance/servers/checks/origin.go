package checks

import (
	"context"
	"net/http"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// originChecks are checks of server/origin.
func originChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/origin/foreign",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: []check.Revision{check.R20251125, check.R20260728},
				Reference: "MCP 2025-11-25 transports, Security Warning",
				Sentence:  "A request of a page of a foreign origin is refused with 403, even with a good token.",
				Covers:    []string{"RS-090", "server-origin-403", "server-origin-validated"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    foreignOrigins([]int{http.StatusForbidden}),
		},
		{
			Rule: check.Rule{
				ID:           "server/origin/checked",
				Level:        check.Must,
				Severity:     check.High,
				Revisions:    []check.Revision{check.R20250326, check.R20250618},
				EachRevision: true,
				Reference:    "MCP 2025-03-26 transports, Security Warning",
				Sentence:     "A request of a page of a foreign origin is refused, even with a good token.",
				Covers:       []string{"RS-090", "server-origin-validated"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    foreignOrigins(bench.AnyRefusal()),
		},
	}
}

// foreignOrigins tries pages that have no business here, by every method of the endpoint.
func foreignOrigins(want []int) func(ctx context.Context, p *bench.Probe) error {
	var vectors []attack.Vector
	for _, foreign := range []string{
		"https://evil.example",
		"null",
		"file://",
		"http://localhost.evil.example",
		"http://127.0.0.1:1",
	} {
		from := func(r *bench.Request, good string) {
			r.Header.Set("Authorization", "Bearer "+good)
			r.Header.Set("Origin", foreign)
		}
		vectors = append(vectors, attack.Vector{Name: "Origin: " + foreign, Change: from})
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		vectors = append(
			vectors,
			attack.Vector{
				Name: method + " with Origin: https://evil.example",
				Want: append([]int{http.StatusMethodNotAllowed}, want...),
				Change: func(r *bench.Request, good string) {
					r.Method = method
					r.Body = nil
					r.Header.Set("Authorization", "Bearer "+good)
					r.Header.Set("Origin", "https://evil.example")
				},
			},
		)
	}
	vectors = append(vectors,
		attack.Vector{
			Name:   "no token, and Origin: https://evil.example",
			Want:   append([]int{http.StatusUnauthorized}, want...),
			Change: attack.Header("Origin", "https://evil.example"),
		},
		attack.Vector{
			Name: "two Origins",
			Want: append([]int{http.StatusBadRequest}, want...),
			Lines: func(good string) []string {
				return []string{"Authorization: Bearer " + good, "Origin: https://evil.example", "Origin: null"}
			},
		},
	)
	return attack.RefusesAll(want, vectors...)
}
