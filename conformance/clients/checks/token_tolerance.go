package checks

import (
	"net/http"
	"net/url"
	"slices"

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
				Sentence:  "A token in an error response, which has status 400, is not used.",
			},
			Run: noHarm(lab.Script{}, gotToken, sentToken, refusingWithToken()),
		},
	}
}

// refusingWithToken is a variant with a token in an error response. An error in a 200 would prove
// nothing: clients ignore members that they do not know (RFC 6749 section 5.1).
func refusingWithToken() variant {
	refuse := func(_ *lab.Lab, _ lab.Party, _ url.Values, answer map[string]any) int {
		answer["error"] = "invalid_grant"
		return http.StatusBadRequest
	}
	return variant{"an error", lab.Script{Token: refuse}}
}

// sentToken is the harm of a token at the MCP server.
func sentToken(l *lab.Lab) string {
	if slices.ContainsFunc(l.Endpoint(), func(one lab.Request) bool { return one.Header.Get("Authorization") != "" }) {
		return "it was sent to the MCP server"
	}
	return ""
}
