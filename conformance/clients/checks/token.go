package checks

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// tokenChecks are checks of client/token: the token response and the use of the token (OAuth 2.1
// sections 3.2 and 5; RFC 6750).
func tokenChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "client/token/header",
				Level:        check.Must,
				EachRevision: true,
				Reference:    "RFC 6750 section 2; MCP authorization, Token Requirements",
				Sentence:     "The token is in the Authorization header with the scheme Bearer, and nowhere else.",
				Covers:       []string{"client-bearer-header"},
			},
			Needs: []bench.Need{bench.Connecting},
			Run:   judge(lab.Script{}, wantTokenInHeader),
		},
		{
			Rule: check.Rule{
				ID:           "client/token/not-in-url",
				Level:        check.Must,
				Severity:     check.High,
				EachRevision: true,
				Reference:    "MCP authorization, Token Requirements; OAuth 2.1-13 section 5.1",
				Sentence:     "No token is ever in a URL.",
				Covers:       []string{"client-token-not-in-query"},
			},
			Needs: []bench.Need{bench.Connecting},
			Run:   judge(lab.Script{Refresh: true}, wantNoTokenInURL),
		},
		{
			Rule: check.Rule{
				ID:           "client/token/every-request",
				Level:        check.Must,
				EachRevision: true,
				Reference:    "MCP authorization, Token Requirements",
				Sentence: "Every request to the MCP endpoint carries the token, even if the server would " +
					"answer without it.",
				Covers: []string{"client-token-every-request"},
			},
			Needs: []bench.Need{bench.Connecting},
			Run:   judge(lab.Script{Lenient: true}, wantTokenInEveryRequest),
		},
		{
			Rule: check.Rule{
				ID:        "client/token/opaque",
				Level:     check.Must,
				Reference: "RFC 6749 section 1.4; RFC 6750 section 2.1",
				Sentence:  "The client sends a token back unchanged, whatever its form.",
				Covers:    []string{"client-token-opaque"},
			},
			Needs: []bench.Need{bench.Connecting},
			Run: stillWorks(
				lab.Script{},
				nil,
				tokenAnswer("a token that only looks like a JWT", "access_token", "not.a.jwt"),
				tokenAnswer("a token of 4 KiB", "access_token", strings.Repeat("long", 1<<10)),
				tokenAnswer("a token with every allowed character", "access_token", "AZaz09-._~+/=="),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/token/type-case",
				Level:     check.Must,
				Reference: "OAuth 2.1-13 section 3.2.3",
				Sentence:  "The token_type is compared without regard to case.",
				Covers:    []string{"client-token-type-case", "CL-029"},
			},
			Needs: []bench.Need{bench.Connecting},
			Run: stillWorks(
				lab.Script{},
				nil,
				tokenAnswer("bearer", "token_type", "bearer"),
				tokenAnswer("BEARER", "token_type", "BEARER"),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/token/unknown-members",
				Level:     check.Must,
				Reference: "OAuth 2.1-13 sections 3.2.3 and 4.1.2",
				Sentence:  "The client ignores unknown parameters and members of responses.",
				Covers:    []string{"client-oauth-unknown-ignored"},
			},
			Needs: []bench.Need{bench.Connecting},
			Run: stillWorks(lab.Script{}, nil,
				variant{"unknown parameters in the redirect", lab.Script{Answers: unknownParameters}},
				variant{"unknown members in the token response", lab.Script{Token: unknownMembers}}),
		},
		{
			Rule: check.Rule{
				ID:        "client/token/unusable",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "OAuth 2.1-13 section 3.2.3; RFC 6750 section 2.1",
				Sentence:  "A token of an unknown type, or one that cannot be sent in a header, is not used.",
				Covers:    []string{"CL-029"},
			},
			Needs: []bench.Need{bench.Connecting},
			Run: noHarm(
				lab.Script{},
				requestedToken,
				tokenSent,
				tokenAnswer("the type mac", "token_type", "mac"),
				tokenAnswer("the type N_A", "token_type", "N_A"),
				tokenAnswer("no token", "access_token", nil),
				tokenAnswer("an empty token", "access_token", ""),
				tokenAnswer("a token with line breaks", "access_token", "at-1\r\nX-Injected: 1"),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/token/id-token",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "MCP authorization, Token Requirements; OpenID Connect Core 1.0 section 3.1.3.7",
				Sentence:  "An ID token is not an access token. With a foreign nonce and audience it is sent nowhere.",
				Covers:    []string{"CL-030"},
			},
			Needs: []bench.Need{bench.Connecting},
			Run: noHarm(
				lab.Script{},
				requestedToken,
				idTokenUsed,
				tokenAnswer("an ID token of another client beside the access token", "id_token", foreignIDToken),
				variant{"an ID token instead of an access token", lab.Script{Token: onlyIDToken}},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/token/lifetime",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "OAuth 2.1-13 section 3.2.3",
				Sentence:  "An odd expires_in, or a clock that disagrees, causes no endless loop of token requests.",
				Covers:    []string{"CL-029", "CL-053"},
			},
			Needs: []bench.Need{bench.Connecting},
			Run: noHarm(
				lab.Script{Refresh: true},
				requestedToken,
				tokenLoop,
				lifetime("0", 0),
				lifetime("a negative number", -5),
				lifetime("a string", "3600"),
				lifetime("1e99", 1e99),
				lifetime("a word", "soon"),
				lifetime("one second", 1),
			),
		},
	}
}

// wantTokenInHeader wants the token in the Authorization header, and not in the body.
func wantTokenInHeader(l *lab.Lab) error {
	seen := false
	for _, token := range l.AccessTokens(l.Authority()) {
		for _, request := range l.Endpoint() {
			seen = seen || request.Bearer() == token
			inForm := strings.Contains(request.Form.Encode(), token)
			if inForm || strings.Contains(request.Body, token) {
				return l.Mismatch("the token in the Authorization header only", "the token in the body too")
			}
		}
	}
	if !seen {
		return l.Mismatch("the token in the Authorization header", "none")
	}
	return nil
}

// wantNoTokenInURL wants no token in a URL or a Referer.
func wantNoTokenInURL(l *lab.Lab) error {
	for _, token := range slices.Concat(l.AccessTokens(l.Authority()), l.RefreshTokens(l.Authority())) {
		found := l.Find(func(r *lab.Request) bool {
			return strings.Contains(r.Path+"?"+r.Query.Encode(), token) ||
				strings.Contains(r.Header.Get("Referer"), token)
		})
		if len(found) > 0 {
			return l.Insecure("no token in a URL", "one in a request to the "+string(found[0].Party))
		}
	}
	return nil
}

// wantTokenInEveryRequest wants the token in each request to the MCP endpoint.
func wantTokenInEveryRequest(l *lab.Lab) error {
	issued := time.Time{}
	for _, request := range l.Record() {
		needsToken := l.AtEndpoint(&request) && request.Method != http.MethodOptions
		switch {
		case isTokenRequest(&request) && request.Status == http.StatusOK && issued.IsZero():
			issued = request.Answered
		case !issued.IsZero() && request.At.After(issued) && needsToken && request.Bearer() == "":
			return l.Mismatch(
				"a token in every request to the endpoint",
				fmt.Sprintf("none in %s %s", request.Method, request.RPC),
			)
		}
	}
	if issued.IsZero() {
		return &check.CannotJudge{Reason: "the client did not sign in", Err: ending(l)}
	}
	return nil
}

// idTokenUsed reports the ID token in any request.
func idTokenUsed(l *lab.Lab) string {
	used := l.Find(func(r *lab.Request) bool { return r.Contains(foreignIDToken) })
	if len(used) > 0 {
		return "it was sent to the " + string(used[0].Party)
	}
	return ""
}

// tokenLoop reports more token requests than requests to the MCP endpoint explain.
func tokenLoop(l *lab.Lab) string {
	n := len(l.TokenRequests(l.Authority()))
	sent := len(l.Endpoint())
	// A client may renew its token before each request, but not more often.
	if n > sent+maxTries {
		return fmt.Sprintf("%d token requests with %d requests to the endpoint", n, sent)
	}
	return ""
}

// foreignIDToken is an ID token of another client and another sign-in. Its header is
// {"alg":"RS256"}, its claims are {"aud":"another","nonce":"another"}, and its signature is
// invalid.
const foreignIDToken = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhbm90aGVyIiwibm9uY2UiOiJhbm90aGVyIn0.bm8tc2lnbmF0dXJl"

// unknownParameters sends the right response with unknown parameters.
func unknownParameters(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
	answer := a.With("session_state", "00000000-0000-0000-0000-000000000000")
	answer.Params.Set("x_unknown", "a")
	return []lab.Answer{answer}
}

// unknownMembers adds unknown members to the token response.
func unknownMembers(_ *lab.Lab, _ lab.Party, _ url.Values, answer map[string]any) int {
	addUnknown(answer)
	return 0
}

// onlyIDToken replaces the access token by an ID token.
func onlyIDToken(_ *lab.Lab, _ lab.Party, _ url.Values, answer map[string]any) int {
	delete(answer, "access_token")
	answer["id_token"] = foreignIDToken
	return 0
}

// requestedToken reports whether the client made a token request.
func requestedToken(l *lab.Lab) bool { return len(l.TokenRequests(l.Authority())) > 0 }

// tokenAnswer returns a variant with a changed member in the token response. A nil value removes
// the member.
func tokenAnswer(name, member string, value any) variant {
	change := func(_ *lab.Lab, _ lab.Party, _ url.Values, answer map[string]any) int {
		setMember(answer, member, value)
		return 0
	}
	return variant{name, lab.Script{Token: change}}
}

// lifetime returns a variant with this expires_in, and with a refresh token.
func lifetime(name string, value any) variant {
	v := tokenAnswer("a lifetime of "+name, "expires_in", value)
	v.script.Refresh = true
	return v
}
