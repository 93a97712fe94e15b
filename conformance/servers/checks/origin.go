package checks

import (
	"context"
	"net/http"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// originChecks returns the checks of server/origin.
func originChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/origin/foreign",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since(check.R20251125),
				Reference: "MCP 2025-11-25 transports, Security Warning",
				Sentence: "A request from a page of a foreign origin is refused with 403, even with a good " +
					"token.",
				Covers: []string{"RS-090", "server-origin-403", "server-origin-validated"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    refusesForeignOrigins([]int{http.StatusForbidden}),
		},
		{
			Rule: check.Rule{
				ID:           "server/origin/checked",
				Level:        check.Must,
				Severity:     check.High,
				Revisions:    before(check.R20251125),
				EachRevision: true,
				Reference:    "MCP 2025-03-26 transports, Security Warning",
				Sentence:     "A request from a page of a foreign origin is refused, even with a good token.",
				Covers:       []string{"RS-090", "server-origin-validated"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    refusesForeignOrigins(bench.AnyRefusal()),
		},
	}
}

// refusesForeignOrigins makes the Run of a check that tries foreign origins with every method of
// the endpoint.
func refusesForeignOrigins(want []int) func(ctx context.Context, p *bench.Probe) error {
	const evil = "https://evil.example"
	var vectors []attack.Vector
	for _, foreign := range []string{
		evil,
		"null",
		"file://",
		"http://localhost.evil.example",
		"http://127.0.0.1:1",
	} {
		vectors = append(vectors, attack.Vector{
			Name:   "Origin: " + foreign,
			Change: func(r *bench.Request, good string) { fromOrigin(r, good, foreign) },
		})
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		vectors = append(vectors, attack.Vector{
			Name: method + " with Origin: " + evil,
			Want: append([]int{http.StatusMethodNotAllowed}, want...),
			Change: func(r *bench.Request, good string) {
				r.Method = method
				r.Body = nil
				fromOrigin(r, good, evil)
			},
		})
	}
	vectors = append(vectors,
		attack.Vector{
			Name:   "no token, and Origin: " + evil,
			Want:   append([]int{http.StatusUnauthorized}, want...),
			Change: attack.Header("Origin", evil),
		},
		attack.Vector{
			Name: "two Origins",
			Want: append([]int{http.StatusBadRequest}, want...),
			Lines: func(good string) []string {
				return []string{"Authorization: Bearer " + good, "Origin: " + evil, "Origin: null"}
			},
		},
	)
	return attack.RefusesAll(want, vectors...)
}

func fromOrigin(request *bench.Request, good, origin string) {
	request.Header.Set("Authorization", "Bearer "+good)
	request.Header.Set("Origin", origin)
}
