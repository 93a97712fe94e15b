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
				Sentence: "A client authenticates by the method that the authorization server lists and " +
					"registered it with.",
				Covers: []string{"client-token-endpoint-auth"},
			},
			Needs: []bench.Need{bench.Secret},
			Run: noHarm(
				lab.Script{},
				nil,
				otherMethodUsed,
				variant{"Basic as the only method", lab.Script{AuthMethod: "client_secret_basic"}},
				variant{"the secret in the body as the only method", lab.Script{AuthMethod: "client_secret_post"}},
				variant{"no authentication as the only method", lab.Script{}},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/token-endpoint/one-method",
				Level:     check.Must,
				Reference: "OAuth 2.1-13 section 2.4",
				Sentence:  "A token request authenticates by one method, not by two.",
				Covers:    []string{"client-single-auth-method"},
			},
			Needs: []bench.Need{bench.Secret},
			Run: noHarm(
				lab.Script{},
				nil,
				severalMethods,
				variant{"Basic as the only method", lab.Script{AuthMethod: "client_secret_basic"}},
			),
		},
	}
}

// otherMethodUsed reports a token request that does not authenticate by the listed method.
func otherMethodUsed(l *lab.Lab) string {
	for _, request := range l.TokenRequests(l.Authority()) {
		basic := request.Header.Get("Authorization") != ""
		posted := request.Form.Get("client_secret") != ""
		ok := !basic
		switch l.AuthMethod() {
		case "client_secret_basic":
			ok = basic
		case "client_secret_post":
			ok = posted
		}
		if !ok {
			return "a token request without the listed method: " + l.AuthMethod()
		}
	}
	return ""
}

// severalMethods reports a token request that authenticates in several ways.
func severalMethods(l *lab.Lab) string {
	for _, request := range l.TokenRequests(l.Authority()) {
		ways := 0
		for _, used := range []bool{
			request.Header.Get("Authorization") != "",
			request.Form.Has("client_secret"),
			request.Form.Has("client_assertion"),
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
}
