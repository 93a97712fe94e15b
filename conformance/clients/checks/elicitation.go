package checks

import (
	"context"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// elicitationChecks are checks of client/elicitation.
func elicitationChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "client/elicitation/url",
				Level:        check.Must,
				Severity:     check.High,
				Revisions:    since20251125,
				EachRevision: true,
				Reference:    "MCP 2025-11-25 client elicitation, Safe URL Handling",
				Sentence: "A page that a server wants the person to visit is neither opened nor fetched before " +
					"the person has agreed, and here nobody has.",
				Covers: []string{"client-elicitation-url-consent", "CL-002"},
			},
			Run: elicitationUrl,
		},
	}
}

// elicitationUrl tries client/elicitation/url.
func elicitationUrl(ctx context.Context, p *bench.Probe) error {
	return noHarm(lab.Script{Revision: p.Revision}, gotToken, func(l *lab.Lab) string {
		if slices.ContainsFunc(l.Opened(), func(page string) bool { return strings.Contains(page, "/bait") }) {
			return "it was opened"
		}
		if len(l.Find(func(r *lab.Request) bool { return strings.Contains(r.Path, "/bait") })) > 0 {
			return "it was fetched"
		}
		return ""
	}, variant{"a page that is wanted during a call", lab.Script{Stream: eliciting(p.Revision)}})(ctx, p)
}

// eliciting answers a call by wanting the person to visit a page first, in the way of a revision.
func eliciting(revision check.Revision) func(*lab.Lab, *lab.Request, map[string]any) []any {
	return func(l *lab.Lab, r *lab.Request, answer map[string]any) []any {
		if r.RPC != "tools/call" {
			return nil
		}
		wanted := map[string]any{
			"method": "elicitation/create",
			"params": map[string]any{
				"mode":          "url",
				"elicitationId": "one",
				"url":           l.Origin(lab.Trap) + "/bait",
				"message":       "Sign in to go on.",
			},
		}
		if revision == check.R20260728 {
			answer["result"] = map[string]any{
				"resultType":    "input_required",
				"inputRequests": map[string]any{"one": wanted},
				"requestState":  "one",
			}
			return []any{answer}
		}
		wanted["jsonrpc"] = "2.0"
		wanted["id"] = "elicitation-1"
		return []any{wanted, answer}
	}
}
