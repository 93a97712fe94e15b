package checks

import (
	"context"

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
				Sentence: "The URL of an elicitation is neither opened nor fetched before the person has " +
					"agreed. In this check the person never agrees.",
				Covers: []string{"client-elicitation-url-consent", "CL-002"},
			},
			Needs: []bench.Need{bench.Calling},
			Run:   elicitationURL,
		},
	}
}

// elicitationURL tries client/elicitation/url.
func elicitationURL(ctx context.Context, p *bench.Probe) error {
	asking := variant{"a page that the server asks for during a call", lab.Script{Stream: elicit(p.Revision)}}
	return noHarm(lab.Script{Revision: p.Revision}, requestedToken, baitVisited, asking)(ctx, p)
}

// elicit answers a tool call with the elicitation of a page, in the form of the revision.
func elicit(revision check.Revision) func(*lab.Lab, *lab.Request, map[string]any) []any {
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
				"message":       "Sign in to continue.",
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
