package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// revisionChecks are checks of client/revision: headers and revisions under authorization (MCP
// Streamable HTTP).
func revisionChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "client/revision/header",
				Level:        check.Must,
				Revisions:    since20250618,
				EachRevision: true,
				Reference:    "MCP transports, Protocol Version Header",
				Sentence: "Every request carries MCP-Protocol-Version. Before MCP 2026-07-28, every request " +
					"after initialize does.",
				Covers: []string{"client-version-header"},
			},
			Needs: []bench.Need{bench.Calling},
			Run:   revisionHeader,
		},
		{
			Rule: check.Rule{
				ID:        "client/revision/standard-headers",
				Level:     check.Must,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 transports, Standard Request Headers",
				Sentence: "Every request carries Mcp-Method, and a call carries Mcp-Name, also when the " +
					"client repeats it after a refusal.",
				Covers: []string{"client-modern-headers"},
			},
			Needs: []bench.Need{bench.Calling},
			Run:   revisionStandardHeaders,
		},
		{
			Rule: check.Rule{
				ID:        "client/revision/fallback",
				Level:     check.Should,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 transports, Backward Compatibility",
				Sentence: "After a 400 without an error of the new revision, a client that knows the " +
					"handshake falls back to it. After a 400 that names revisions it does not.",
				Covers: []string{"client-era-detection"},
			},
			Needs: []bench.Need{bench.Connecting},
			Run:   revisionFallback,
		},
	}
}

// revisionHeader tries client/revision/header.
func revisionHeader(ctx context.Context, p *bench.Probe) error {
	l, err := completeTask(ctx, p, lab.Script{ExpiredTokens: 1})
	if err != nil {
		return err
	}
	requests := afterInitialize(l, p.Revision)
	if p.Revision == check.R20260728 {
		requests = slices.DeleteFunc(l.Endpoint(), func(request lab.Request) bool {
			return request.RPC == "initialize" || isProbe(request, p.Revision)
		})
	}
	for _, request := range requests {
		if got := request.Header.Get("Mcp-Protocol-Version"); got != string(p.Revision) {
			return l.Mismatch(
				"MCP-Protocol-Version: "+string(p.Revision),
				fmt.Sprintf("%q in %s %s", got, request.Method, request.RPC),
			)
		}
	}
	return nil
}

// isProbe reports whether a request only explores the endpoint, and carries nothing of MCP.
func isProbe(r lab.Request, revision check.Revision) bool {
	isMessage := r.Method == http.MethodPost
	if revision != check.R20260728 {
		isMessage = isMessage || r.Method == http.MethodGet || r.Method == http.MethodDelete
	}
	acceptsStream := strings.Contains(r.Header.Get("Accept"), eventStream)
	return !isMessage || r.Method == http.MethodGet && !acceptsStream
}

// revisionStandardHeaders tries client/revision/standard-headers.
func revisionStandardHeaders(ctx context.Context, p *bench.Probe) error {
	expired := variant{"an expired token", lab.Script{ExpiredTokens: 1}}
	if err := stillWorks(lab.Script{}, wantStandardHeaders, expired)(ctx, p); err != nil {
		return err
	}
	// A client that does not step up is judged, too.
	return wantStandardHeaders(runClient(ctx, p, needsStepUp()))
}

// wantStandardHeaders wants Mcp-Method in each POST, and Mcp-Name in each call.
func wantStandardHeaders(l *lab.Lab) error {
	for _, request := range l.Endpoint() {
		if request.Method != http.MethodPost || request.RPC == "initialize" {
			continue
		}
		if got := request.Header.Get("Mcp-Method"); got != request.RPC {
			return l.Mismatch("Mcp-Method: "+request.RPC, fmt.Sprintf("%q", got))
		}
		if got := request.Header.Get("Mcp-Name"); request.RPC == "tools/call" && got != bench.ToolName {
			return l.Mismatch("Mcp-Name: "+bench.ToolName, fmt.Sprintf("%q", got))
		}
	}
	return nil
}

// revisionFallback tries client/revision/fallback.
func revisionFallback(ctx context.Context, p *bench.Probe) error {
	if err := wantControl(ctx, p, lab.Script{}); err != nil {
		return err
	}
	older := runClient(ctx, p, lab.Script{Revision: check.R20251125, Intercept: olderServer})
	if !completed(p, older) {
		return older.Mismatch("initialize after a 400 without a body", fmt.Sprintf("%v", ending(older)))
	}
	newer := runClient(ctx, p, lab.Script{Intercept: futureServer})
	refused := false
	for _, request := range newer.Endpoint() {
		if refused && request.RPC == "initialize" {
			return newer.Mismatch("no initialize at a server that names only a future revision", "initialize")
		}
		refused = refused || request.Bearer() != "" && request.RPC != "initialize" && request.Status >= 400
	}
	return nil
}

// olderServer answers every request before initialize with 400.
func olderServer(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
	inSession := r.RPC == "initialize" || r.Header.Get("Mcp-Session-Id") != ""
	if !l.AtEndpoint(r) || r.Bearer() == "" || inSession {
		return false
	}
	w.WriteHeader(http.StatusBadRequest)
	return true
}

// futureServer answers every request except initialize with an error that names a future revision.
func futureServer(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
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
}
