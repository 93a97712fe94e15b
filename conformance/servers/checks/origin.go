package checks

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

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
					"token. A page of the same machine is foreign for no server on loopback.",
				Covers: []string{"RS-090", "server-origin-403", "server-origin-validated"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    refusesForeignOrigins([]int{http.StatusForbidden}),
		},
		{
			Rule: check.Rule{
				ID:        "server/origin/checked",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: before(check.R20251125),
				Reference: "MCP 2025-03-26 transports, Security Warning",
				Sentence:  "A request from a page of a foreign origin is refused, even with a good token.",
				Covers:    []string{"RS-090", "server-origin-validated"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    originChecked,
		},
	}
}

// originChecked tries server/origin/checked. A server that also serves foreign pages in a later
// revision has one cause for both, and server/origin/foreign finds it.
func originChecked(ctx context.Context, p *bench.Probe) error {
	err := refusesForeignOrigins(bench.AnyRefusal())(ctx, p)
	var mismatch *check.Mismatch
	if !errors.As(err, &mismatch) {
		return err
	}
	for _, revision := range p.Survey(ctx).Spoken {
		if !slices.Contains(since(check.R20251125), revision) {
			continue
		}
		later := p.WithRevision(revision)
		trial, failed := later.Trial(ctx)
		if failed != nil {
			continue
		}
		request := trial.Request()
		fromOrigin(&request, trial.Token, evilOrigin)
		if answer, failed := later.Send(ctx, request); failed == nil && answer.Succeeded() {
			return &check.Skipped{
				Of:     "server/origin/foreign",
				Reason: "the server serves foreign pages in " + string(revision) + " too",
			}
		}
	}
	return err
}

// evilOrigin is the origin of a foreign page.
const evilOrigin = "https://evil.example"

// refusesForeignOrigins makes the Run of a check that tries foreign origins with every method of
// the endpoint.
func refusesForeignOrigins(want []int) func(ctx context.Context, p *bench.Probe) error {
	return attack.WithTrial(func(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
		var vectors []attack.Vector
		for _, foreign := range foreignOrigins(p.URL()) {
			vectors = append(vectors, attack.Vector{
				Name:     "Origin: " + foreign.origin,
				Level:    foreign.level,
				Severity: foreign.severity,
				Change:   func(r *bench.Request, good string) { fromOrigin(r, good, foreign.origin) },
			})
		}
		vectors = append(vectors,
			attack.Vector{
				Name:   "no token, and Origin: " + evilOrigin,
				Want:   append([]int{http.StatusUnauthorized}, want...),
				Change: attack.Header("Origin", evilOrigin),
			},
			attack.Vector{
				Name: "two Origins",
				Want: append([]int{http.StatusBadRequest}, want...),
				Lines: func(good string) []string {
					return []string{"Authorization: Bearer " + good, "Origin: " + evilOrigin, "Origin: null"}
				},
			},
		)
		for _, method := range []string{http.MethodGet, http.MethodDelete} { // the DELETE may end the session
			vectors = append(vectors, attack.Vector{
				Name:   method + " with Origin: " + evilOrigin,
				Want:   slices.Concat([]int{http.StatusBadRequest}, attack.MissingMethod, want),
				Change: fromForeignPage(method, trial.Session.ID),
			})
		}
		return attack.TryVectors(ctx, p, trial, want, vectors...)
	})
}

// fromForeignPage returns a change to a request of a foreign page, in a session if there is one.
func fromForeignPage(method, session string) func(r *bench.Request, good string) {
	return func(r *bench.Request, good string) {
		r.Method = method
		r.Body = nil
		if session != "" {
			r.Header.Set("Mcp-Session-Id", session)
		}
		fromOrigin(r, good, evilOrigin)
	}
}

// A foreignOrigin is an origin whose pages an endpoint must not serve.
type foreignOrigin struct {
	origin   string
	level    check.Level    // empty means the check's
	severity check.Severity // empty means the check's
}

// foreignOrigins returns origins that are foreign to an endpoint. The operator of a server may know
// the pages of files and of the user's own machine; DNS rebinding does not use them.
func foreignOrigins(endpoint string) []foreignOrigin {
	origins := []foreignOrigin{
		{origin: evilOrigin},
		{origin: "null"},
		{origin: "http://localhost.evil.example"},
		{"file://", check.Policy, check.Low},
	}
	if address, err := url.Parse(endpoint); err != nil || !attack.IsLoopback(address) {
		origins = append(origins, foreignOrigin{"http://127.0.0.1:1", check.Policy, check.Low})
	}
	return origins
}

func fromOrigin(request *bench.Request, good, origin string) {
	request.Header.Set("Authorization", "Bearer "+good)
	request.Header.Set("Origin", origin)
}
