package checks

import (
	"net/http"

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
				Reference: "RFC 6750 section 5.3; RFC 9110 section 15.4",
				Sentence: "A token does not follow a redirect to a subdomain of the server's host, to " +
					"another port, or to plain http.",
				Covers: []string{"client-token-not-leaked", "client-token-over-tls", "CL-020"},
			},
			Abilities: []bench.Ability{bench.UsesProxy, bench.TrustsCA},
			Needs:     []bench.Need{bench.Calling},
			Run: noHarm(
				lab.Script{Public: true},
				redirectedAway,
				tokenAstray,
				redirectAway("a subdomain of the server's host", "https://elsewhere.mcp.example.com/mcp"),
				redirectAway("another port", "https://mcp.example.com:8443/mcp"),
				redirectAway("plain http", "http://mcp.example.com/mcp"),
			),
		},
	}
}

// tokenAstray reports an access token at the trap or the proxy.
func tokenAstray(l *lab.Lab) string {
	for _, token := range l.AccessTokens(l.Authority()) {
		leaks := l.Find(func(r *lab.Request) bool {
			return (r.Party == lab.Trap || r.Party == lab.Proxy) && r.Contains(token)
		})
		if len(leaks) > 0 {
			return "the token was sent to the " + string(leaks[0].Party)
		}
	}
	return ""
}

// redirectedAway reports whether the lab served a redirect to another host, and the trap records
// visits.
func redirectedAway(l *lab.Lab) bool {
	isRedirect := func(r *lab.Request) bool {
		return l.AtEndpoint(r) && r.Status == http.StatusTemporaryRedirect
	}
	return l.Saw(isRedirect) && l.Saw(isTrapProbe)
}

// redirectAway returns a variant on the public network whose MCP endpoint redirects calls.
func redirectAway(name, location string) variant {
	redirect := func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, request *http.Request) bool {
		if r.RPC != "tools/call" || r.Bearer() == "" {
			return false
		}
		l.Visit(request.Context(), l.Origin(lab.Trap)+trapProbePath)
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}
	return variant{"a redirect to " + name, lab.Script{Public: true, Intercept: redirect}}
}
