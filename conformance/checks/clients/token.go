package clients

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/engine"
	"mcpentra/conformance/lab"
)

// clientToken: how a client gets its token and what it does with it (OAuth 2.1 sections 3.2 and 5; RFC 6750).
func clientToken() []engine.Check {
	return []engine.Check{
		{
			ID: "client/token-endpoint/method", Role: engine.Client, Level: engine.Must, Revisions: since20250618,
			Reference: "OAuth 2.1-13 section 2.4; RFC 8414 section 2",
			Sentence:  "A client authenticates by the method that the authorization server lists and has registered it with.",
			Covers:    []string{"client-token-endpoint-auth"},
			RunClient: spared(lab.Script{}, nil, func(l *lab.Lab) string {
				for _, one := range l.TokenRequests(l.Authority()) {
					if basic := one.Header.Get("Authorization") != ""; basic != (l.Secrets() == "client_secret_basic") && l.Secrets() != "client_secret_post" {
						return "a token request without the listed method: " + l.Secrets()
					}
					if l.Secrets() == "client_secret_post" && one.Form.Get("client_secret") == "" {
						return "a token request without the listed method: " + l.Secrets()
					}
				}
				return ""
			}, variant{"Basic as the only method", lab.Script{Secrets: "client_secret_basic"}}, variant{"the secret in the body as the only method", lab.Script{Secrets: "client_secret_post"}},
				variant{"no authentication as the only method", lab.Script{}}),
		},
		{
			ID: "client/token-endpoint/one-method", Role: engine.Client, Level: engine.Must,
			Reference: "OAuth 2.1-13 section 2.4",
			Sentence:  "A token request authenticates in one way and not in two.",
			Covers:    []string{"client-single-auth-method"},
			RunClient: spared(lab.Script{}, nil, func(l *lab.Lab) string {
				for _, one := range l.TokenRequests(l.Authority()) {
					ways := 0
					for _, used := range []bool{one.Header.Get("Authorization") != "", one.Form.Has("client_secret"), one.Form.Has("client_assertion")} {
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
		{
			ID: "client/token/header", Role: engine.Client, Level: engine.Must, EachRevision: true,
			Reference: "RFC 6750 section 2; MCP authorization, Token Requirements",
			Sentence:  "The token is in the Authorization header with the scheme Bearer, and in no second place.",
			Covers:    []string{"client-bearer-header"},
			RunClient: observed(lab.Script{}, func(l *lab.Lab) error {
				seen := false
				for _, token := range l.AccessTokens(l.Authority()) {
					for _, one := range l.Endpoint() {
						seen = seen || one.Bearer() == token
						if strings.Contains(one.Body, token) || one.Form != nil && strings.Contains(one.Form.Encode(), token) {
							return l.Mismatch("the token in the Authorization header alone", "the token in the body too")
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
			ID: "client/token/not-in-url", Role: engine.Client, Level: engine.Must, EachRevision: true, Severity: engine.High,
			Reference: "MCP authorization, Token Requirements; OAuth 2.1-13 section 5.1",
			Sentence:  "No token is ever in an address.",
			Covers:    []string{"client-token-not-in-query"},
			RunClient: observed(lab.Script{Refresh: true}, func(l *lab.Lab) error {
				for _, token := range slices.Concat(l.AccessTokens(l.Authority()), l.RefreshTokens(l.Authority())) {
					found := l.Find(func(r *lab.Request) bool {
						return strings.Contains(r.Query.Encode(), token) || strings.Contains(r.Path, token) || strings.Contains(r.Header.Get("Referer"), token)
					})
					if len(found) > 0 {
						return l.Insecure("no token in an address", "one in a request to the "+string(found[0].Party))
					}
				}
				return nil
			}),
		},
		{
			ID: "client/token/every-request", Role: engine.Client, Level: engine.Must, EachRevision: true,
			Reference: "MCP authorization, Token Requirements",
			Sentence:  "Every request to the MCP endpoint carries the token, even those that would be served without.",
			Covers:    []string{"client-token-every-request"},
			RunClient: observed(lab.Script{Lenient: true}, func(l *lab.Lab) error {
				issued := false
				for _, one := range l.Record() {
					switch {
					case one.Form.Get("grant_type") != "" && one.Status == http.StatusOK:
						issued = true
					case issued && l.AtEndpoint(&one) && one.Method != http.MethodOptions && one.Bearer() == "":
						return l.Mismatch("a token in every request to the endpoint", fmt.Sprintf("none in %s %s", one.Method, one.RPC))
					}
				}
				if !issued {
					return &engine.CannotJudge{Reason: "the client did not sign in", Err: ending(l)}
				}
				return nil
			}),
		},
		{
			ID: "client/token/opaque", Role: engine.Client, Level: engine.Must,
			Reference: "RFC 6749 section 1.4; RFC 6750 section 2.1",
			Sentence:  "A token is sent back as it came, whatever it looks like.",
			Covers:    []string{"client-token-opaque"},
			RunClient: works(lab.Script{}, nil, issuing("a token that looks like a JWT and is none", "access_token", "not.a.jwt"),
				issuing("a token of 4 KiB", "access_token", strings.Repeat("long", 1<<10)), issuing("a token of all characters that are allowed", "access_token", "AZaz09-._~+/==")),
		},
		{
			ID: "client/token/type-case", Role: engine.Client, Level: engine.Must,
			Reference: "OAuth 2.1-13 section 3.2.3",
			Sentence:  "The token_type is compared without regard to case.",
			Covers:    []string{"client-token-type-case", "CL-029"},
			RunClient: works(lab.Script{}, nil, issuing("bearer", "token_type", "bearer"), issuing("BEARER", "token_type", "BEARER")),
		},
		{
			ID: "client/token/unknown-members", Role: engine.Client, Level: engine.Must,
			Reference: "OAuth 2.1-13 sections 3.2.3 and 4.1.2",
			Sentence:  "Parameters and members of answers that a client does not know are ignored.",
			Covers:    []string{"client-oauth-unknown-ignored"},
			RunClient: works(lab.Script{}, nil,
				variant{"unknown parameters in the redirect", lab.Script{Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
					answer := a.With("session_state", "00000000-0000-0000-0000-000000000000")
					answer.Params.Set("x_unknown", "a")
					return []lab.Answer{answer}
				}}},
				variant{"unknown members in the token's answer", lab.Script{Token: func(_ *lab.Lab, _ lab.Party, _ url.Values, answer map[string]any) int { addUnknown(answer); return 0 }}}),
		},
		{
			ID: "client/token/unusable", Role: engine.Client, Level: engine.Must, Severity: engine.Medium,
			Reference: "OAuth 2.1-13 section 3.2.3; RFC 6750 section 2.1",
			Sentence:  "A token of a type that the client does not know, or that cannot be sent in a header, is not used.",
			Covers:    []string{"CL-029"},
			RunClient: spared(lab.Script{}, gotToken, func(l *lab.Lab) string {
				for _, one := range l.Endpoint() {
					if one.Header.Get("Authorization") != "" {
						return "it was sent to the MCP server"
					}
				}
				return ""
			}, issuing("the type mac", "token_type", "mac"), issuing("the type N_A", "token_type", "N_A"), issuing("no token", "access_token", nil), issuing("an empty token", "access_token", ""),
				issuing("a token with line breaks", "access_token", "at-1\r\nX-Injected: 1")),
		},
		{
			ID: "client/token/id-token", Role: engine.Client, Level: engine.Must, Severity: engine.Medium,
			Reference: "MCP authorization, Token Requirements; OpenID Connect Core 1.0 section 3.1.3.7",
			Sentence:  "An ID token, of which the client knows neither nonce nor audience, is sent nowhere: it is no access token.",
			Covers:    []string{"CL-030"},
			RunClient: spared(lab.Script{}, gotToken, func(l *lab.Lab) string {
				if used := l.Find(func(r *lab.Request) bool { return r.Contains(foreignIDToken) }); len(used) > 0 {
					return "it came to the " + string(used[0].Party)
				}
				return ""
			}, issuing("an ID token for somebody else beside the access token", "id_token", foreignIDToken), variant{"an ID token instead of an access token", lab.Script{
				Token: func(_ *lab.Lab, _ lab.Party, _ url.Values, answer map[string]any) int {
					delete(answer, "access_token")
					answer["id_token"] = foreignIDToken
					return 0
				},
			}}),
		},
		{
			ID: "client/token/lifetime", Role: engine.Client, Level: engine.Policy, Severity: engine.Medium,
			Reference: "OAuth 2.1-13 section 3.2.3",
			Sentence:  "An odd expires_in, or a clock that disagrees, leads to no endless loop of token requests.",
			Covers:    []string{"CL-029", "CL-053"},
			RunClient: spared(lab.Script{Refresh: true}, gotToken, func(l *lab.Lab) string {
				// A client that cares may renew before each of its requests, and no more often.
				if n, sent := len(l.TokenRequests(l.Authority())), len(l.Endpoint()); n > sent+few {
					return fmt.Sprintf("%d token requests with %d requests to the endpoint", n, sent)
				}
				return ""
			}, lasting("0", 0), lasting("a negative number", -5), lasting("a string", "3600"), lasting("1e99", 1e99), lasting("a word", "soon"), lasting("one second", 1)),
		},
		{
			ID: "client/storage/private", Role: engine.Client, Level: engine.Must, Severity: engine.High, Abilities: []engine.Ability{engine.KeepsState},
			Reference: "MCP authorization, Token Theft",
			Sentence:  "Tokens lie in no file that others on the machine can read.",
			Covers:    []string{"client-token-storage", "CL-040"},
			RunClient: func(ctx context.Context, p *engine.ClientProbe) error {
				l, err := control(ctx, p, lab.Script{Refresh: true})
				if err != nil {
					return err
				}
				secrets := slices.Concat(l.AccessTokens(l.Authority()), l.RefreshTokens(l.Authority()))
				if name := readableSecret(p.State, secrets); name != "" {
					return l.Insecure("files with tokens that only their owner can read", name)
				}
				return nil
			},
		},
	}
}

// foreignIDToken is for another client and another sign-in: {"alg":"RS256"}, {"aud":"another","nonce":"another"}, and no good signature.
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

// clientRefresh: tokens that are renewed (OAuth 2.1 section 4.3; MCP 2026-07-28, Refresh Tokens).
func clientRefresh() []engine.Check {
	return []engine.Check{
		{
			ID: "client/refresh/not-assumed", Role: engine.Client, Level: engine.Must,
			Reference: "MCP 2026-07-28 authorization, Refresh Tokens",
			Sentence:  "Without a refresh token a client whose token has expired signs in anew or says so; it does not refresh with nothing.",
			Covers:    []string{"client-refresh-not-assumed", "client-refresh-on-expiry"},
			RunClient: spared(lab.Script{}, gotToken, func(l *lab.Lab) string {
				if len(refreshes(l, l.Authority())) > 0 {
					return "a refresh request without a refresh token"
				}
				return ""
			}, variant{"a token that has expired", lab.Script{OldTokens: 1}}),
		},
		{
			ID: "client/refresh/rotation", Role: engine.Client, Level: engine.Must, Severity: engine.Medium, Abilities: []engine.Ability{engine.KeepsState},
			Reference: "OAuth 2.1-13 section 4.3.1; MCP authorization, Token Theft",
			Sentence:  "A new refresh token replaces the old one, which is not used again.",
			Covers:    []string{"client-refresh-rotation-followed", "client-refresh-on-expiry"},
			RunClient: func(ctx context.Context, p *engine.ClientProbe) error {
				l := lab.New(lab.Script{Revision: p.Revision, Refresh: true})
				defer l.Close()
				for range 3 {
					l.Run(ctx, p)
					if err := completed(ctx, p, l); err != nil {
						return err
					}
					l.Expire()
				}
				made := refreshes(l, l.Authority())
				if len(made) < 2 {
					return &engine.NotApplicable{Reason: "the client does not refresh"}
				}
				for _, one := range made {
					if one.Status != http.StatusOK {
						return l.Mismatch("the newest refresh token each time", "one that was replaced")
					}
				}
				return nil
			},
		},
		{
			ID: "client/refresh/confidential", Role: engine.Client, Level: engine.Must, Severity: engine.Critical,
			Reference: "MCP 2026-07-28 authorization, Refresh Tokens; OAuth 2.1-13 section 4.3",
			Sentence:  "A refresh token goes to the token endpoint of the authorization server that issued it, and nowhere else.",
			Covers:    []string{"client-refresh-confidential", "CL-021"},
			RunClient: spared(lab.Script{Refresh: true, OldTokens: 1}, gotToken, func(l *lab.Lab) string {
				for _, token := range l.RefreshTokens(lab.Issuer) {
					astray := l.Find(func(r *lab.Request) bool {
						return r.Contains(token) && (r.Party != lab.Issuer || r.Form.Get("refresh_token") != token && r.Form.Get("token") != token)
					})
					if len(astray) > 0 {
						return fmt.Sprintf("it came to the %s, %s %s", astray[0].Party, astray[0].Method, astray[0].Path)
					}
				}
				return ""
			}, variant{"metadata that names another authorization server when the token has expired", lab.Script{Refresh: true, OldTokens: 1, Resource: moved(1)}}),
		},
		{
			ID: "client/refresh/outage", Role: engine.Client, Level: engine.Policy, Severity: engine.Medium, Abilities: []engine.Ability{engine.KeepsState},
			Reference: "OAuth 2.1-13 section 3.2.4",
			Sentence:  "A refresh that fails because the authorization server is out of order does not end the grant; the refresh token is tried again later.",
			Covers:    []string{"CL-056"},
			RunClient: refreshOutage,
		},
	}
}

func refreshOutage(ctx context.Context, p *engine.ClientProbe) error {
	out := false // set between runs
	l := lab.New(lab.Script{Revision: p.Revision, Refresh: true, Intercept: func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
		if !out || r.Form.Get("grant_type") != "refresh_token" {
			return false
		}
		http.Error(w, "out of order", http.StatusServiceUnavailable)
		return true
	}})
	defer l.Close()
	l.Run(ctx, p)
	if err := completed(ctx, p, l); err != nil {
		return err
	}
	l.Expire()
	out = true
	l.Run(ctx, p)
	tried := len(refreshes(l, l.Authority()))
	if tried == 0 {
		return &engine.NotApplicable{Reason: "the client does not refresh"}
	}
	out = false
	l.Expire()
	asked := len(l.Authorizations(l.Authority()))
	l.Run(ctx, p)
	if len(l.Authorizations(l.Authority())) > asked || len(refreshes(l, l.Authority())) == tried {
		return l.Mismatch("another try with the refresh token once the authorization server is back", "a sign-in, or nothing")
	}
	return nil
}

// clientStepUp: a token that is not enough (MCP 2025-11-25 authorization, Step-Up Authorization Flow), and servers that are never content.
func clientStepUp() []engine.Check {
	const stepUp = "MCP 2025-11-25 authorization, Step-Up Authorization Flow"
	more := lab.Script{Scope: "tools.read", ToolScopes: []string{"tools.call"}}
	within := lab.Script{Scope: "tools.read tools.call", ToolScopes: []string{"tools.call"}}
	return []engine.Check{
		{
			ID: "client/step-up/attempted", Role: engine.Client, Level: engine.Should, Revisions: since20251125, Reference: stepUp,
			Sentence: "A client that is refused for its scopes asks the person for those that the challenge names.",
			Covers:   []string{"client-stepup-attempted"},
			RunClient: afterControl(within, more, func(l *lab.Lab) error {
				made := l.Authorizations(l.Authority())
				if len(made) < 2 || !slices.Contains(strings.Fields(made[len(made)-1].Query.Get("scope")), "tools.call") {
					return l.Mismatch("a second authorization request, with the scope of the challenge", fmt.Sprintf("%d authorization requests", len(made)))
				}
				return nil
			}),
		},
		{
			ID: "client/step-up/union", Role: engine.Client, Level: engine.Should, Revisions: since20260728,
			Reference: "MCP 2026-07-28 authorization, Step-Up Authorization Flow",
			Sentence:  "A step up asks for the scopes of before as well.",
			Covers:    []string{"client-stepup-union"},
			RunClient: afterControl(within, more, func(l *lab.Lab) error {
				made := l.Authorizations(l.Authority())
				if len(made) < 2 {
					return &engine.NotApplicable{Reason: "the client does not step up"}
				}
				if scope := made[1].Query.Get("scope"); !slices.Contains(strings.Fields(scope), "tools.read") {
					return l.Mismatch("the scope tools.read again", fmt.Sprintf("%q", scope))
				}
				return nil
			}),
		},
		{
			ID: "client/step-up/repeats", Role: engine.Client, Level: engine.Should, Revisions: since20251125, Reference: stepUp,
			Sentence: "After a step up the request is sent again with the new token.",
			Covers:   []string{"client-stepup-retries-request"},
			RunClient: afterControl(within, more, func(l *lab.Lab) error {
				if len(l.AccessTokens(l.Authority())) < 2 {
					return &engine.NotApplicable{Reason: "the client does not step up"}
				}
				if !l.Called() {
					return l.Mismatch("the call again with the new token", fmt.Sprintf("none: %v", ending(l)))
				}
				return nil
			}),
		},
		{
			ID: "client/step-up/limit", Role: engine.Client, Level: engine.Should, Revisions: since20251125, Severity: engine.High, Reference: stepUp,
			Sentence: "A server that demands ever more scopes is given up on after a few tries.",
			Covers:   []string{"client-stepup-retry-limit", "CL-024"},
			RunClient: spared(within, gotToken, func(l *lab.Lab) string {
				if n := len(l.Authorizations(l.Authority())); n > 1+few {
					return fmt.Sprintf("%d authorization requests", n)
				}
				return ""
			}, variant{"another scope each time", lab.Script{StepUp: func(n int) []string { return []string{fmt.Sprintf("more.%d", n)} }}},
				variant{"the same scope each time", lab.Script{StepUp: func(int) []string { return []string{"more"} }}}),
		},
		{
			ID: "client/step-up/flood", Role: engine.Client, Level: engine.Policy, Revisions: since20251125, Severity: engine.High, Reference: stepUp,
			Sentence: "Nobody is asked to approve thousands of scopes.",
			Covers:   []string{"CL-025"},
			RunClient: spared(within, gotToken, func(l *lab.Lab) string {
				for _, one := range l.Authorizations(l.Authority()) {
					if n := len(strings.Fields(one.Query.Get("scope"))); n > 1000 {
						return fmt.Sprintf("an authorization request with %d scopes", n)
					}
				}
				return ""
			}, variant{"a challenge with 2,000 scopes", lab.Script{StepUp: func(int) []string { return manyScopes(2000) }}}),
		},
		{
			ID: "client/refusal/limit", Role: engine.Client, Level: engine.Policy, Severity: engine.High,
			Reference: "MCP authorization, Error Handling",
			Sentence:  "A server that refuses every token is given up on, and the person is not asked again and again.",
			Covers:    []string{"CL-024"},
			RunClient: spared(lab.Script{}, gotToken, func(l *lab.Lab) string {
				if n := len(l.Authorizations(l.Authority())); n > few {
					return fmt.Sprintf("%d authorization requests", n)
				}
				if n := len(l.Endpoint()); n > 40 {
					return fmt.Sprintf("%d requests to the endpoint", n)
				}
				return ""
			}, variant{"a refusal of every token", lab.Script{OldTokens: 1 << 20}}, variant{"a refusal of every token, with refresh tokens", lab.Script{OldTokens: 1 << 20, Refresh: true}}),
		},
	}
}

func manyScopes(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("s%d", i)
	}
	return all
}

// afterControl judges what a client does in one lab after it has got to its end in another.
func afterControl(good, script lab.Script, judge func(l *lab.Lab) error) runClient {
	return func(ctx context.Context, p *engine.ClientProbe) error {
		if _, err := control(ctx, p, good); err != nil {
			return err
		}
		return judge(try(ctx, p, script))
	}
}
