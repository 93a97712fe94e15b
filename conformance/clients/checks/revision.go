package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// revisionChecks are checks of client/revision: sessions, headers and revisions under
// authorization, and TLS (MCP Streamable HTTP).
func revisionChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "client/revision/header",
				Level:        check.Must,
				Revisions:    since20250618,
				EachRevision: true,
				Reference:    "MCP transports, Protocol Version Header",
				Sentence: "Every request carries MCP-Protocol-Version; before MCP 2026-07-28 every one after " +
					"initialize.",
				Covers: []string{"client-version-header"},
			},
			Run: revisionHeader,
		},
		{
			Rule: check.Rule{
				ID:        "client/revision/standard-headers",
				Level:     check.Must,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 transports, Standard Request Headers",
				Sentence: "Every request carries Mcp-Method, and a call Mcp-Name, also when it is sent again after " +
					"a refusal.",
				Covers: []string{"client-modern-headers"},
			},
			Run: revisionStandardHeaders,
		},
		{
			Rule: check.Rule{
				ID:        "client/revision/fallback",
				Level:     check.Should,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 transports, Backward Compatibility",
				Sentence: "A 400 whose body is no error of the new revision has a client that knows the handshake " +
					"fall back to it; one that names revisions has not.",
				Covers: []string{"client-era-detection"},
			},
			Run: fallback,
		},
	}
}

// revisionHeader tries client/revision/header.
func revisionHeader(ctx context.Context, p *bench.Probe) error {
	return judge(lab.Script{OldTokens: 1}, func(l *lab.Lab) error {
		begun := p.Revision == check.R20260728
		for _, one := range l.Endpoint() {
			if one.RPC == "initialize" {
				begun = begun || one.Status == http.StatusOK
				continue
			}
			if !begun || one.RPC == "server/discover" && p.Revision != check.R20260728 {
				continue
			}
			if got := one.Header.Get("Mcp-Protocol-Version"); got != string(p.Revision) {
				return l.Mismatch(
					"MCP-Protocol-Version: "+string(p.Revision),
					fmt.Sprintf("%q in %s %s", got, one.Method, one.RPC),
				)
			}
		}
		return nil
	})(ctx, p)
}

// revisionStandardHeaders tries client/revision/standard-headers.
func revisionStandardHeaders(ctx context.Context, p *bench.Probe) error {
	if err := stillWorks(
		lab.Script{},
		standardHeaders,
		variant{"a token that has expired", lab.Script{OldTokens: 1}},
	)(ctx, p); err != nil {
		return err
	}
	// whether it steps up or not
	return standardHeaders(try(ctx, p, lab.Script{Scope: "tools.read", ToolScopes: []string{"tools.call"}}))
}

func standardHeaders(l *lab.Lab) error {
	for _, one := range l.Endpoint() {
		if one.Method != http.MethodPost {
			continue
		}
		if got := one.Header.Get("Mcp-Method"); got != one.RPC {
			return l.Mismatch("Mcp-Method: "+one.RPC, fmt.Sprintf("%q", got))
		}
		if got := one.Header.Get("Mcp-Name"); one.RPC == "tools/call" && got != bench.ToolName {
			return l.Mismatch("Mcp-Name: "+bench.ToolName, fmt.Sprintf("%q", got))
		}
	}
	return nil
}

func fallback(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	// An older server: it knows initialize and answers what comes before with 400.
	older := try(
		ctx,
		p,
		lab.Script{
			Revision: check.R20251125,
			Intercept: func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
				if !l.AtEndpoint(r) || r.Bearer() == "" || r.RPC == "initialize" ||
					r.Header.Get("Mcp-Session-Id") != "" {
					return false
				}
				w.WriteHeader(http.StatusBadRequest)
				return true
			},
		},
	)
	if !older.Called() {
		return older.Mismatch("initialize after a 400 without a body", fmt.Sprintf("%v", ending(older)))
	}
	newer := try(
		ctx,
		p,
		lab.Script{Intercept: func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
			if !l.AtEndpoint(r) || r.Bearer() == "" || r.RPC == "initialize" {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]any{
				"jsonrpc": "2.0",
				"id":      r.JSON["id"],
				"error": map[string]any{
					"code":    -32022,
					"message": "unsupported protocol version",
					"data": map[string]any{
						"supported": []string{"2099-01-01"},
						"requested": r.Header.Get("Mcp-Protocol-Version"),
					},
				},
			})
			return true
		}},
	)
	if slices.ContainsFunc(newer.Endpoint(), func(r lab.Request) bool { return r.RPC == "initialize" }) {
		return newer.Mismatch("no initialize at a server that names only a revision to come", "initialize")
	}
	return nil
}
