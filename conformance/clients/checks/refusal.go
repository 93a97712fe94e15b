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
				Sentence: "A server that refuses every token is given up on, and the person is not asked again " +
					"and again.",
				Covers: []string{"CL-024"},
			},
			Run: noHarm(
				lab.Script{},
				gotToken,
				func(l *lab.Lab) string {
					if n := len(l.Authorizations(l.Authority())); n > few {
						return fmt.Sprintf("%d authorization requests", n)
					}
					if n := len(l.Endpoint()); n > 40 {
						return fmt.Sprintf("%d requests to the endpoint", n)
					}
					return ""
				},
				variant{"a refusal of every token", lab.Script{OldTokens: 1 << 20}},
				variant{"a refusal of every token, with refresh tokens", lab.Script{OldTokens: 1 << 20, Refresh: true}},
				variant{"refusals of the token and of its scopes by turns", lab.Script{Intercept: byTurns()}},
				variant{"a 403 that names no error", lab.Script{Intercept: forbidden}},
			),
		},
	}
}

// byTurns refuses a call for its token and for its scopes by turns, with other scopes each time.
func byTurns() func(*lab.Lab, *lab.Request, http.ResponseWriter, *http.Request) bool {
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
		w.Header().Set(
			"WWW-Authenticate",
			fmt.Sprintf(`%s, error="insufficient_scope", scope="more.%d"`, l.Challenge(), n),
		)
		w.WriteHeader(http.StatusForbidden)
		return true
	}
}

// forbidden refuses a call with a challenge that says nothing.
func forbidden(_ *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
	if r.RPC != "tools/call" || r.Bearer() == "" {
		return false
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	w.WriteHeader(http.StatusForbidden)
	return true
}
