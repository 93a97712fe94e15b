package checks

import (
	"net/http"
	"net/url"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// tokenToleranceChecks are checks of client/token.
func tokenToleranceChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/token/error",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "OAuth 2.1-13 sections 3.2.3 and 3.2.4",
				Sentence:  "A token in an error response with status 400 is not used.",
			},
			Needs: []bench.Need{bench.Connecting},
			Run:   noHarm(lab.Script{}, requestedToken, tokenSent, errorWithToken()),
		},
	}
}

// errorWithToken returns a variant with a token in an error response. An error in a 200 would prove
// nothing: clients ignore unknown members (RFC 6749 section 5.1).
func errorWithToken() variant {
	refuse := func(_ *lab.Lab, _ lab.Party, _ url.Values, answer map[string]any) int {
		answer["error"] = "invalid_grant"
		return http.StatusBadRequest
	}
	return variant{"an error", lab.Script{Token: refuse}}
}

// tokenSent reports an Authorization header at the MCP endpoint.
func tokenSent(l *lab.Lab) string {
	holdsToken := func(r *lab.Request) bool { return l.AtEndpoint(r) && r.Header.Get("Authorization") != "" }
	if l.Saw(holdsToken) {
		return "it was sent to the MCP server"
	}
	return ""
}
