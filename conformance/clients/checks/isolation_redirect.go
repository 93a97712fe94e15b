package checks

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// isolationRedirectChecks are checks of client/isolation: redirects (RFC 9110 section 15.4).
func isolationRedirectChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/isolation/redirect",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 6750 section 5.3; RFC 9110 section 15.4",
				Sentence:  "A token does not follow a redirect of the MCP endpoint to another origin.",
				Covers:    []string{"client-token-not-leaked", "CL-020"},
			},
			Needs: []bench.Need{bench.Calling},
			Run: noHarm(
				lab.Script{},
				redirectedToTrap,
				tokenAtTrap,
				redirectToTrap(http.StatusMovedPermanently),
				redirectToTrap(http.StatusFound),
				redirectToTrap(http.StatusTemporaryRedirect),
				redirectToTrap(http.StatusPermanentRedirect),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/isolation/path",
				Level:     check.Policy,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "RFC 8707 section 2; RFC 9110 section 15.4; MCP authorization, Token Theft",
				Sentence: "A token for a resource with a path does not follow a redirect to another path of the " +
					"origin, which can be another server.",
				Covers: []string{"client-token-not-leaked"},
			},
			Needs: []bench.Need{bench.Calling},
			Run: noHarm(lab.Script{}, redirectedToPath, tokenAtOtherPath,
				redirectToPath(http.StatusTemporaryRedirect, "/team-b/mcp"),
				redirectToPath(http.StatusPermanentRedirect, "/team-b/mcp"),
				redirectToPath(http.StatusTemporaryRedirect, "/mcp/%2e%2e/team-b/mcp")),
		},
		{
			Rule: check.Rule{
				ID:        "client/isolation/redirected-body",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9110 section 15.4",
				Sentence:  "The body of a request does not follow a redirect of the MCP endpoint to another origin.",
				Covers:    []string{"CL-020"},
			},
			Needs: []bench.Need{bench.Calling},
			Run: noHarm(
				lab.Script{},
				redirectedToTrap,
				callAtTrap,
				redirectToTrap(http.StatusTemporaryRedirect),
				redirectToTrap(http.StatusPermanentRedirect),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/isolation/token-redirect",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9110 section 15.4; RFC 9700 section 4.4",
				Sentence:  "Codes, verifiers and registrations do not follow a redirect to another origin.",
				Covers:    []string{"CL-022"},
			},
			Run: each(
				noHarm(
					lab.Script{},
					redirectedToTrap,
					secretsAtTrap,
					redirectEndpoint("the token endpoint", lab.Issuer, "/doors/exchange"),
				),
				ifItRegisters(graded(check.Policy, check.Low, noHarm(
					lab.Script{},
					redirectedToTrap,
					secretsAtTrap,
					redirectEndpoint("the registration endpoint", lab.Issuer, "/doors/enrol"),
				))),
			),
		},
	}
}

// ifItRegisters runs a part of a check only for clients that register themselves.
func ifItRegisters(run runFunc) runFunc {
	return func(ctx context.Context, p *bench.Probe) error {
		if !p.Look.Registers {
			return nil
		}
		return run(ctx, p)
	}
}

// tokenAtTrap reports an access token at the trap.
func tokenAtTrap(l *lab.Lab) string {
	for _, token := range l.AccessTokens(l.Authority()) {
		if l.Saw(func(r *lab.Request) bool { return r.Party == lab.Trap && r.Contains(token) }) {
			return "the token was sent to the other origin"
		}
	}
	return ""
}

// callAtTrap reports a tool call at the trap.
func callAtTrap(l *lab.Lab) string {
	if l.Saw(func(r *lab.Request) bool {
		return r.Party == lab.Trap && strings.Contains(r.Body, bench.ToolName)
	}) {
		return "the call was sent to the other origin"
	}
	return ""
}

// secretsAtTrap reports a code, a verifier or a registration at the trap.
func secretsAtTrap(l *lab.Lab) string {
	holdsSecret := func(r *lab.Request) bool {
		return r.Form.Has("code") || r.Form.Has("code_verifier") || r.JSON["redirect_uris"] != nil
	}
	if l.Saw(func(r *lab.Request) bool { return r.Party == lab.Trap && holdsSecret(r) }) {
		return "they were sent to the other origin"
	}
	return ""
}

// redirectedToTrap reports whether the lab served a redirect to the trap, and the trap records
// visits. The check visits trapProbePath itself to show that.
func redirectedToTrap(l *lab.Lab) bool {
	isRedirect := func(r *lab.Request) bool {
		return r.Party != lab.Trap && r.Status/100 == 3 && r.Path != "/doors/in"
	}
	return l.Saw(isRedirect) && l.Saw(isTrapProbe)
}

// trapProbePath is the path that the check itself visits at the trap.
const trapProbePath = "/probe"

// isTrapProbe reports whether a request is the check's own visit to the trap.
func isTrapProbe(r *lab.Request) bool { return r.Party == lab.Trap && r.Path == trapProbePath }

// sendToTrap redirects a client to the trap, and visits the trap itself first.
func sendToTrap(l *lab.Lab, w http.ResponseWriter, request *http.Request, path string, status int) {
	l.Visit(request.Context(), l.Origin(lab.Trap)+trapProbePath)
	w.Header().Set("Location", l.Origin(lab.Trap)+path)
	w.WriteHeader(status)
}

// redirectToTrap returns a variant whose MCP endpoint redirects calls to the trap.
func redirectToTrap(status int) variant {
	redirect := func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, request *http.Request) bool {
		if r.RPC != "tools/call" || r.Bearer() == "" {
			return false
		}
		sendToTrap(l, w, request, "/mcp", status)
		return true
	}
	return variant{fmt.Sprintf("a redirect with status %d", status), lab.Script{Intercept: redirect}}
}

// redirectToPath returns a variant whose MCP endpoint redirects calls to another path of its
// origin.
func redirectToPath(status int, path string) variant {
	name := fmt.Sprintf("a redirect with status %d to %s", status, path)
	redirect := func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
		if !l.AtEndpoint(r) || r.RPC != "tools/call" || r.Bearer() == "" {
			return false
		}
		w.Header().Set("Location", l.Origin(lab.Server)+path)
		w.WriteHeader(status)
		return true
	}
	return variant{name, lab.Script{Intercept: redirect}}
}

// redirectedToPath reports whether the MCP endpoint served a redirect.
func redirectedToPath(l *lab.Lab) bool {
	return slices.ContainsFunc(l.Endpoint(), func(r lab.Request) bool { return r.Status/100 == 3 })
}

// tokenAtOtherPath reports a token at another path of the MCP server.
func tokenAtOtherPath(l *lab.Lab) string {
	for _, token := range l.AccessTokens(l.Authority()) {
		other := l.Find(func(r *lab.Request) bool {
			return r.Party == lab.Server && !l.AtEndpoint(r) && r.Contains(token)
		})
		if len(other) > 0 {
			return "the token was sent to " + other[0].Path
		}
	}
	return ""
}

// redirectEndpoint returns a variant that redirects an authorization server's endpoint to the trap.
func redirectEndpoint(name string, party lab.Party, path string) variant {
	redirect := func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, request *http.Request) bool {
		if (r.Party != party && r.Party != l.Authority()) || r.Path != path {
			return false
		}
		sendToTrap(l, w, request, path, http.StatusTemporaryRedirect)
		return true
	}
	return variant{"a redirect at " + name, lab.Script{Intercept: redirect}}
}
