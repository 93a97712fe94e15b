package checks

import (
	"fmt"
	"net/http"
	"sync/atomic"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// refusalChecks are checks of client/refusal.
func refusalChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/refusal/limit",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "MCP authorization, Error Handling",
				Sentence: "A client gives up on a server that refuses every token, and does not ask the " +
					"person again and again.",
				Covers: []string{"CL-024"},
			},
			Needs: []bench.Need{bench.Calling},
			Run: noHarm(
				lab.Script{},
				requestedToken,
				triedTooOften,
				variant{"a refusal of every token", lab.Script{ExpiredTokens: 1 << 20}},
				variant{
					"a refusal of every token, with refresh tokens",
					lab.Script{ExpiredTokens: 1 << 20, Refresh: true},
				},
				variant{
					"alternate refusals of the token and its scopes",
					lab.Script{Intercept: alternateRefusals()},
				},
				variant{"a 403 that names no error", lab.Script{Intercept: bareForbidden}},
			),
		},
	}
}

// maxRequests bounds the requests to the MCP endpoint in a run without success.
const maxRequests = 40

// triedTooOften reports too many sign-ins or too many requests to the MCP endpoint.
func triedTooOften(l *lab.Lab) string {
	if n := len(l.Authorizations(l.Authority())); n > maxTries*(2*attempts(l)-1) {
		return fmt.Sprintf("%d authorization requests", n)
	}
	if n := len(l.Endpoint()); n > maxRequests*attempts(l) {
		return fmt.Sprintf("%d requests to the endpoint", n)
	}
	return ""
}

// alternateRefusals refuses a call alternately for its token and for its scopes, with other scopes
// each time.
func alternateRefusals() func(*lab.Lab, *lab.Request, http.ResponseWriter, *http.Request) bool {
	var turns atomic.Int64
	return func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
		if r.RPC != "tools/call" || r.Bearer() == "" {
			return false
		}
		n := turns.Add(1)
		if n%2 == 1 {
			w.Header().Set("WWW-Authenticate", l.Challenge()+`, error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		challenge := fmt.Sprintf(`%s, error="insufficient_scope", scope="more.%d"`, l.Challenge(), n)
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(http.StatusForbidden)
		return true
	}
}

// bareForbidden refuses a call with a challenge without parameters.
func bareForbidden(_ *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
	if r.RPC != "tools/call" || r.Bearer() == "" {
		return false
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	w.WriteHeader(http.StatusForbidden)
	return true
}
