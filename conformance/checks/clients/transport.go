package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/engine"
	"mcpentra/conformance/lab"
)

// clientTransport: sessions, headers and revisions under authorization, and TLS (MCP Streamable HTTP).
func clientTransport() []engine.Check {
	return []engine.Check{
		{
			ID: "client/session/repeated", Role: engine.Client, Level: engine.Must, Revisions: handshake, EachRevision: true,
			Reference: "MCP 2025-11-25 transports, Session Management",
			Sentence:  "The session ID is in every request after initialize, also in one that is sent again after a refusal.",
			Covers:    []string{"client-session-id-sent"},
			RunClient: observed(lab.Script{OldTokens: 1}, func(l *lab.Lab) error {
				begun := false
				for _, one := range l.Endpoint() {
					if one.RPC == "initialize" {
						begun = begun || one.Status == http.StatusOK
						continue
					}
					if begun && one.Header.Get("Mcp-Session-Id") == "" && one.Method != http.MethodOptions && one.RPC != "server/discover" {
						return l.Mismatch("Mcp-Session-Id", fmt.Sprintf("none in %s %s", one.Method, one.RPC))
					}
				}
				return nil
			}),
		},
		{
			ID: "client/session/begun-anew", Role: engine.Client, Level: engine.Must, Revisions: handshake,
			Reference: "MCP 2025-11-25 transports, Session Management",
			Sentence:  "When its session is gone a client begins a new one, without a session ID.",
			Covers:    []string{"client-session-404-restarts"},
			RunClient: sessionGone,
		},
		{
			ID: "client/session/protected", Role: engine.Client, Level: engine.Must, Revisions: handshake, Severity: engine.Medium,
			Reference: "MCP 2025-11-25 transports, Session Management",
			Sentence:  "The session ID is in no address, and comes to no other origin.",
			Covers:    []string{"client-session-id-protected"},
			RunClient: observed(lab.Script{OldTokens: 1}, func(l *lab.Lab) error {
				for _, one := range l.Endpoint() {
					id := one.Header.Get("Mcp-Session-Id")
					if id == "" {
						continue
					}
					if astray := l.Find(func(r *lab.Request) bool {
						return !l.AtEndpoint(r) && r.Contains(id) || strings.Contains(r.Query.Encode(), id)
					}); len(astray) > 0 {
						return l.Insecure("the session ID at the MCP endpoint alone", fmt.Sprintf("it came to the %s, %s", astray[0].Party, astray[0].Path))
					}
				}
				return nil
			}),
		},
		{
			ID: "client/revision/header", Role: engine.Client, Level: engine.Must, Revisions: since20250618, EachRevision: true,
			Reference: "MCP transports, Protocol Version Header",
			Sentence:  "Every request carries MCP-Protocol-Version; before MCP 2026-07-28 every one after initialize.",
			Covers:    []string{"client-version-header"},
			RunClient: func(ctx context.Context, p *engine.ClientProbe) error {
				return observed(lab.Script{OldTokens: 1}, func(l *lab.Lab) error {
					begun := p.Revision == engine.R20260728
					for _, one := range l.Endpoint() {
						if one.RPC == "initialize" {
							begun = begun || one.Status == http.StatusOK
							continue
						}
						if !begun || one.RPC == "server/discover" && p.Revision != engine.R20260728 {
							continue
						}
						if got := one.Header.Get("Mcp-Protocol-Version"); got != string(p.Revision) {
							return l.Mismatch("MCP-Protocol-Version: "+string(p.Revision), fmt.Sprintf("%q in %s %s", got, one.Method, one.RPC))
						}
					}
					return nil
				})(ctx, p)
			},
		},
		{
			ID: "client/revision/standard-headers", Role: engine.Client, Level: engine.Must, Revisions: since20260728,
			Reference: "MCP 2026-07-28 transports, Standard Request Headers",
			Sentence:  "Every request carries Mcp-Method, and a call Mcp-Name, also when it is sent again after a refusal.",
			Covers:    []string{"client-modern-headers"},
			RunClient: func(ctx context.Context, p *engine.ClientProbe) error {
				if err := works(lab.Script{}, standardHeaders, variant{"a token that has expired", lab.Script{OldTokens: 1}})(ctx, p); err != nil {
					return err
				}
				return standardHeaders(try(ctx, p, lab.Script{Scope: "tools.read", ToolScopes: []string{"tools.call"}})) // whether it steps up or not
			},
		},
		{
			ID: "client/revision/fallback", Role: engine.Client, Level: engine.Should, Revisions: since20260728,
			Reference: "MCP 2026-07-28 transports, Backward Compatibility",
			Sentence:  "A 400 whose body is no error of the new revision has a client that knows the handshake fall back to it; one that names revisions has not.",
			Covers:    []string{"client-era-detection"},
			RunClient: fallback,
		},
		{
			ID: "client/tls/verified", Role: engine.Client, Level: engine.Must, Severity: engine.Critical, Revisions: []engine.Revision{engine.R20250618, engine.R20251125}, Abilities: []engine.Ability{engine.TrustsCA},
			Reference: "MCP authorization, Communication Security; RFC 9525",
			Sentence:  "The certificates of the MCP server and of the authorization server are verified.",
			Covers:    []string{"client-tls-verified", "client-token-over-tls", "CL-054"},
			RunClient: tlsVerified,
		},
		{
			ID: "client/tls/version", Role: engine.Client, Level: engine.Policy, Severity: engine.Medium, Revisions: []engine.Revision{engine.R20250618, engine.R20251125}, Abilities: []engine.Ability{engine.TrustsCA},
			Reference: "RFC 8996; RFC 9325 section 3.1.1",
			Sentence:  "A server that speaks no newer TLS than 1.1 is not spoken to.",
			Covers:    []string{"CL-054"},
			RunClient: func(ctx context.Context, p *engine.ClientProbe) error {
				return tlsRefused(ctx, p, "a server that speaks TLS 1.1 at most", lab.OldTLS)
			},
		},
	}
}

func standardHeaders(l *lab.Lab) error {
	for _, one := range l.Endpoint() {
		if one.Method != http.MethodPost {
			continue
		}
		if got := one.Header.Get("Mcp-Method"); got != one.RPC {
			return l.Mismatch("Mcp-Method: "+one.RPC, fmt.Sprintf("%q", got))
		}
		if got := one.Header.Get("Mcp-Name"); one.RPC == "tools/call" && got != engine.ToolName {
			return l.Mismatch("Mcp-Name: "+engine.ToolName, fmt.Sprintf("%q", got))
		}
	}
	return nil
}

func sessionGone(ctx context.Context, p *engine.ClientProbe) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	first := ""
	l := try(ctx, p, lab.Script{Intercept: func(l *lab.Lab, r *lab.Request, _ http.ResponseWriter, _ *http.Request) bool {
		if id := r.Header.Get("Mcp-Session-Id"); r.RPC == "tools/call" && (first == "" || first == id) && r.Bearer() != "" {
			first = id
			l.EndSession(r)
		}
		return false
	}})
	gone := false
	for _, one := range l.Endpoint() {
		switch {
		case one.Status == http.StatusNotFound && one.Header.Get("Mcp-Session-Id") != "":
			gone = true
		case gone && one.RPC == "initialize" && one.Header.Get("Mcp-Session-Id") == "":
			return nil
		}
	}
	if !gone {
		return &engine.CannotJudge{Reason: "the client did not come as far as a call in its session", Err: ending(l)}
	}
	return l.Mismatch("initialize, without a session ID, after the 404", fmt.Sprintf("none: %v", ending(l)))
}

func fallback(ctx context.Context, p *engine.ClientProbe) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	// An older server: it knows initialize and answers what comes before with 400.
	older := try(ctx, p, lab.Script{Revision: engine.R20251125, Intercept: func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
		if !l.AtEndpoint(r) || r.Bearer() == "" || r.RPC == "initialize" || r.Header.Get("Mcp-Session-Id") != "" {
			return false
		}
		w.WriteHeader(http.StatusBadRequest)
		return true
	}})
	if !older.Called() {
		return older.Mismatch("initialize after a 400 without a body", fmt.Sprintf("%v", ending(older)))
	}
	newer := try(ctx, p, lab.Script{Intercept: func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
		if !l.AtEndpoint(r) || r.Bearer() == "" || r.RPC == "initialize" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": r.JSON["id"], "error": map[string]any{
			"code": -32022, "message": "unsupported protocol version", "data": map[string]any{"supported": []string{"2099-01-01"}, "requested": r.Header.Get("Mcp-Protocol-Version")},
		}})
		return true
	}})
	if slices.ContainsFunc(newer.Endpoint(), func(r lab.Request) bool { return r.RPC == "initialize" }) {
		return newer.Mismatch("no initialize at a server that names only a revision to come", "initialize")
	}
	return nil
}

func tlsVerified(ctx context.Context, p *engine.ClientProbe) error {
	return tlsRefused(ctx, p, "a server whose certificate is not right", lab.SelfSigned, lab.OutOfDate, lab.OtherName)
}

// tlsRefused wants no request to a server, or an authorization server, that has one of the flaws.
func tlsRefused(ctx context.Context, p *engine.ClientProbe, what string, flaws ...lab.Flaw) error {
	run := func(flaws map[lab.Party]lab.Flaw) (*lab.Lab, error) {
		l := lab.New(lab.Script{Revision: p.Revision, TLS: true, Flaws: flaws})
		defer l.Close()
		name, err := l.WriteCA(p.State)
		if err != nil {
			return nil, &engine.CannotJudge{Reason: "the certificate authority cannot be written", Err: err}
		}
		l.Run(ctx, p, func(task *engine.Task) { task.CAFile = name })
		return l, nil
	}
	l, err := run(nil)
	if err != nil {
		return err
	}
	if err := completed(ctx, p, l); err != nil {
		return err
	}
	for _, party := range []lab.Party{lab.Server, lab.Issuer} {
		for _, flaw := range flaws {
			l, err := run(map[lab.Party]lab.Flaw{party: flaw})
			if err != nil {
				return err
			}
			if len(l.Find(func(r *lab.Request) bool { return r.Party == party })) > 0 {
				return l.Insecure(fmt.Sprintf("no request to %s: %s, the %s", what, flaw, party), "one")
			}
		}
	}
	return nil
}
