package checks

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// tokenChecks are checks of client/token: how a client gets its token and what it does with it
// (OAuth 2.1 sections 3.2 and 5; RFC 6750).
func tokenChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "client/token/header",
				Level:        check.Must,
				EachRevision: true,
				Reference:    "RFC 6750 section 2; MCP authorization, Token Requirements",
				Sentence: "The token is in the Authorization header with the scheme Bearer, and in no " +
					"second place.",
				Covers: []string{"client-bearer-header"},
			},
			Run: judge(lab.Script{}, func(l *lab.Lab) error {
				seen := false
				for _, token := range l.AccessTokens(l.Authority()) {
					for _, one := range l.Endpoint() {
						seen = seen || one.Bearer() == token
						if strings.Contains(one.Body, token) ||
							one.Form != nil && strings.Contains(one.Form.Encode(), token) {
							return l.Mismatch(
								"the token in the Authorization header alone",
								"the token in the body too",
							)
						}
					}
				}
				if !seen {
					return l.Mismatch("the token in the Authorization header", "none")
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:           "client/token/not-in-url",
				Level:        check.Must,
				Severity:     check.High,
				EachRevision: true,
				Reference:    "MCP authorization, Token Requirements; OAuth 2.1-13 section 5.1",
				Sentence:     "No token is ever in an address.",
				Covers:       []string{"client-token-not-in-query"},
			},
			Run: judge(lab.Script{Refresh: true}, func(l *lab.Lab) error {
				for _, token := range slices.Concat(l.AccessTokens(l.Authority()), l.RefreshTokens(l.Authority())) {
					found := l.Find(func(r *lab.Request) bool {
						return strings.Contains(r.Query.Encode(), token) || strings.Contains(r.Path, token) ||
							strings.Contains(r.Header.Get("Referer"), token)
					})
					if len(found) > 0 {
						return l.Insecure("no token in an address", "one in a request to the "+string(found[0].Party))
					}
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:           "client/token/every-request",
				Level:        check.Must,
				EachRevision: true,
				Reference:    "MCP authorization, Token Requirements",
				Sentence: "Every request to the MCP endpoint carries the token, even those that would be " +
					"served without.",
				Covers: []string{"client-token-every-request"},
			},
			Run: judge(lab.Script{Lenient: true}, func(l *lab.Lab) error {
				issued := false
				for _, one := range l.Record() {
					switch {
					case one.Form.Get("grant_type") != "" && one.Status == http.StatusOK:
						issued = true
					case issued && l.AtEndpoint(&one) && one.Method != http.MethodOptions && one.Bearer() == "":
						return l.Mismatch(
							"a token in every request to the endpoint",
							fmt.Sprintf("none in %s %s", one.Method, one.RPC),
						)
					}
				}
				if !issued {
					return &check.CannotJudge{Reason: "the client did not sign in", Err: ending(l)}
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/token/opaque",
				Level:     check.Must,
				Reference: "RFC 6749 section 1.4; RFC 6750 section 2.1",
				Sentence:  "A token is sent back as it came, whatever it looks like.",
				Covers:    []string{"client-token-opaque"},
			},
			Run: stillWorks(
				lab.Script{},
				nil,
				issuing("a token that looks like a JWT and is none", "access_token", "not.a.jwt"),
				issuing("a token of 4 KiB", "access_token", strings.Repeat("long", 1<<10)),
				issuing("a token of all characters that are allowed", "access_token", "AZaz09-._~+/=="),
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
			Run: stillWorks(
				lab.Script{},
				nil,
				issuing("bearer", "token_type", "bearer"),
				issuing("BEARER", "token_type", "BEARER"),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/token/unknown-members",
				Level:     check.Must,
				Reference: "OAuth 2.1-13 sections 3.2.3 and 4.1.2",
				Sentence:  "Parameters and members of answers that a client does not know are ignored.",
				Covers:    []string{"client-oauth-unknown-ignored"},
			},
			Run: stillWorks(lab.Script{}, nil,
				variant{
					"a fixtureht iss in the redirect",
					lab.Script{
						Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
							return []lab.Answer{a.With("iss", a.Issuer)}
						},
					},
				},
				variant{
					"unknown parameters in the redirect",
					lab.Script{Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
						answer := a.With("session_state", "00000000-0000-0000-0000-000000000000")
						answer.Params.Set("x_unknown", "a")
						return []lab.Answer{answer}
					}},
				},
				variant{
					"unknown members in the token's answer",
					lab.Script{
						Token: func(_ *lab.Lab, _ lab.Party, _ url.Values, answer map[string]any) int {
							addUnknown(answer)
							return 0
						},
					},
				}),
		},
		{
			Rule: check.Rule{
				ID:        "client/token/unusable",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "OAuth 2.1-13 section 3.2.3; RFC 6750 section 2.1",
				Sentence: "A token of a type that the client does not know, or that cannot be sent in a header, " +
					"is not used.",
				Covers: []string{"CL-029"},
			},
			Run: noHarm(
				lab.Script{},
				gotToken,
				func(l *lab.Lab) string {
					for _, one := range l.Endpoint() {
						if one.Header.Get("Authorization") != "" {
							return "it was sent to the MCP server"
						}
					}
					return ""
				},
				issuing("the type mac", "token_type", "mac"),
				issuing("the type N_A", "token_type", "N_A"),
				issuing("no token", "access_token", nil),
				issuing("an empty token", "access_token", ""),
				issuing("a token with line breaks", "access_token", "at-1\r\nX-Injected: 1"),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/token/id-token",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "MCP authorization, Token Requirements; OpenID Connect Core 1.0 section 3.1.3.7",
				Sentence: "An ID token, of which the client knows neither nonce nor audience, is sent nowhere: it is " +
					"no access token.",
				Covers: []string{"CL-030"},
			},
			Run: noHarm(
				lab.Script{},
				gotToken,
				func(l *lab.Lab) string {
					if used := l.Find(func(r *lab.Request) bool { return r.Contains(foreignIDToken) }); len(used) > 0 {
						return "it came to the " + string(used[0].Party)
					}
					return ""
				},
				issuing("an ID token for somebody else beside the access token", "id_token", foreignIDToken),
				variant{"an ID token instead of an access token", lab.Script{
					Token: func(_ *lab.Lab, _ lab.Party, _ url.Values, answer map[string]any) int {
						delete(answer, "access_token")
						answer["id_token"] = foreignIDToken
						return 0
					},
				}},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/token/lifetime",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "OAuth 2.1-13 section 3.2.3",
				Sentence:  "An odd expires_in, or a clock that disagrees, leads to no endless loop of token requests.",
				Covers:    []string{"CL-029", "CL-053"},
			},
			Run: noHarm(
				lab.Script{Refresh: true},
				gotToken,
				func(l *lab.Lab) string {
					// A client that cares may renew before each of its requests, and no more often.
					if n, sent := len(l.TokenRequests(l.Authority())), len(l.Endpoint()); n > sent+few {
						return fmt.Sprintf("%d token requests with %d requests to the endpoint", n, sent)
					}
					return ""
				},
				lasting("0", 0),
				lasting("a negative number", -5),
				lasting("a string", "3600"),
				lasting("1e99", 1e99),
				lasting("a word", "soon"),
				lasting("one second", 1),
			),
		},
	}
}

// foreignIDToken is for another client and another sign-in: {"alg":"RS256"},
// {"aud":"another","nonce":"another"}, and no good signature.
const foreignIDToken = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhbm90aGVyIiwibm9uY2UiOiJhbm90aGVyIn0.bm8tc2lnbmF0dXJl"

func gotToken(l *lab.Lab) bool { return len(l.TokenRequests(l.Authority())) > 0 }

// issuing is a variant where a member of the token endpoint's answer is another one, or missing.
func issuing(name, member string, value any) variant {
	return variant{name, lab.Script{Token: func(_ *lab.Lab, _ lab.Party, _ url.Values, answer map[string]any) int {
		if answer[member] = value; value == nil {
			delete(answer, member)
		}
		return 0
	}}}
}

func lasting(name string, value any) variant {
	one := issuing("a lifetime of "+name, "expires_in", value)
	one.script.Refresh = true
	return one
}
