package checks

import (
	"fmt"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// tokenEndpointChecks are checks of client/token-endpoint.
func tokenEndpointChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/token-endpoint/method",
				Level:     check.Must,
				Revisions: since20250618,
				Reference: "OAuth 2.1-13 section 2.4; RFC 8414 section 2",
				Sentence: "A client authenticates by the method that the authorization server lists and has " +
					"registered it with.",
				Covers: []string{"client-token-endpoint-auth"},
			},
			Run: noHarm(
				lab.Script{},
				nil,
				func(l *lab.Lab) string {
					for _, one := range l.TokenRequests(l.Authority()) {
						if basic := one.Header.Get(
							"Authorization",
						) != ""; basic != (l.Secrets() == "client_secret_basic") &&
							l.Secrets() != "client_secret_post" {
							return "a token request without the listed method: " + l.Secrets()
						}
						if l.Secrets() == "client_secret_post" && one.Form.Get("client_secret") == "" {
							return "a token request without the listed method: " + l.Secrets()
						}
					}
					return ""
				},
				variant{"Basic as the only method", lab.Script{Secrets: "client_secret_basic"}},
				variant{"the secret in the body as the only method", lab.Script{Secrets: "client_secret_post"}},
				variant{"no authentication as the only method", lab.Script{}},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/token-endpoint/one-method",
				Level:     check.Must,
				Reference: "OAuth 2.1-13 section 2.4",
				Sentence:  "A token request authenticates in one way and not in two.",
				Covers:    []string{"client-single-auth-method"},
			},
			Run: noHarm(lab.Script{}, nil, func(l *lab.Lab) string {
				for _, one := range l.TokenRequests(l.Authority()) {
					ways := 0
					for _, used := range []bool{
						one.Header.Get("Authorization") != "",
						one.Form.Has("client_secret"),
						one.Form.Has("client_assertion"),
					} {
						if used {
							ways++
						}
					}
					if ways > 1 {
						return fmt.Sprintf("a token request that authenticates in %d ways", ways)
					}
				}
				return ""
			}, variant{"Basic as the only method", lab.Script{Secrets: "client_secret_basic"}}),
		},
	}
}
