package checks

import (
	"net/http"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// isolationPublicChecks are checks of client/isolation.
func isolationPublicChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/isolation/subdomain",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP authorization, Token Theft; RFC 9110 section 15.4",
				Sentence: "A token does not follow a redirect to a name below the server's, to another port of it, " +
					"or to plain http.",
				Covers: []string{"client-token-not-leaked", "client-token-over-tls", "CL-020"},
			},
			Abilities: []bench.Ability{bench.UsesProxy, bench.TrustsCA},
			Run: noHarm(
				lab.Script{Public: true},
				sentAstray,
				func(l *lab.Lab) string {
					for _, token := range l.AccessTokens(l.Authority()) {
						if astray := l.Find(func(r *lab.Request) bool {
							return (r.Party == lab.Trap ||
								r.Party == lab.Proxy) && r.Contains(token)
						}); len(astray) > 0 {
							return "the token came to the " + string(astray[0].Party)
						}
					}
					return ""
				},
				astray("a name below the server's", "https://elsewhere.mcp.example.com/mcp"),
				astray("another port", "https://mcp.example.com:8443/mcp"),
				astray("plain http", "http://mcp.example.com/mcp"),
			),
		},
	}
}

// sentAstray reports whether the client was sent to where nobody has any business, and whoever goes
// there is seen.
func sentAstray(l *lab.Lab) bool {
	return slices.ContainsFunc(
		l.Endpoint(),
		func(r lab.Request) bool { return r.Status == http.StatusTemporaryRedirect },
	) &&
		len(l.Find(func(r *lab.Request) bool { return r.Party == lab.Trap && r.Path == liveControl })) > 0
}

func astray(name, location string) variant {
	return variant{
		"a redirect to " + name,
		lab.Script{
			Public: true,
			Intercept: func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, request *http.Request) bool {
				if r.RPC != "tools/call" || r.Bearer() == "" {
					return false
				}
				l.Look(request.Context(), l.Origin(lab.Trap)+liveControl)
				w.Header().Set("Location", location)
				w.WriteHeader(http.StatusTemporaryRedirect)
				return true
			},
		},
	}
}
