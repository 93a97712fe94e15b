package clients

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"mcpentra/conformance/engine"
	"mcpentra/conformance/lab"
)

// clientAuthorization: what a client asks at the authorization endpoint (OAuth 2.1 section 4.1.1; RFC 7636; RFC 8707).
func clientAuthorization() []engine.Check {
	return []engine.Check{
		{
			ID: "client/pkce/verifier", Role: engine.Client, Level: engine.Must, EachRevision: true,
			Reference: "OAuth 2.1-13 section 4.1.1; RFC 7636 section 4; MCP authorization, Authorization Code Protection",
			Sentence:  "An authorization request has a code_challenge, and the token request the code_verifier that belongs to it.",
			Covers:    []string{"client-pkce-used"},
			RunClient: observed(lab.Script{}, func(l *lab.Lab) error {
				asked, redeemed := l.Authorizations(l.Authority()), l.TokenRequests(l.Authority())
				if len(asked) == 0 || len(redeemed) == 0 {
					return l.Mismatch("an authorization request and a token request", "none")
				}
				challenge, verifier := asked[0].Query.Get("code_challenge"), redeemed[0].Form.Get("code_verifier")
				if challenge == "" || verifier == "" {
					return l.Mismatch("code_challenge and code_verifier", "none")
				}
				if sum := sha256.Sum256([]byte(verifier)); challenge != verifier && challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
					return l.Mismatch("the code_verifier of the code_challenge", "another")
				}
				return nil
			}),
		},
		{
			ID: "client/pkce/s256", Role: engine.Client, Level: engine.Must, EachRevision: true, Severity: engine.Medium,
			Reference: "OAuth 2.1-13 section 4.1.1; RFC 7636 section 4.2",
			Sentence:  "The code_challenge is made with S256.",
			Covers:    []string{"client-pkce-s256"},
			RunClient: observed(lab.Script{}, eachAuthorization(func(l *lab.Lab, asked url.Values) error {
				if method := asked.Get("code_challenge_method"); method != "S256" {
					return l.Mismatch("code_challenge_method=S256", fmt.Sprintf("%q", method))
				}
				return nil
			})),
		},
		{
			ID: "client/pkce/gate", Role: engine.Client, Level: engine.Must, Revisions: since20251125, Severity: engine.High,
			Reference: "MCP 2025-11-25 authorization, Authorization Code Protection",
			Sentence:  "A client refuses to go on where the metadata does not say that the authorization server does PKCE.",
			Covers:    []string{"client-pkce-refuse-unadvertised", "CL-007"},
			RunClient: spared(lab.Script{}, fetchedIssuer, sentToAuthorize,
				variant{"RFC 8414 metadata without code_challenge_methods_supported", lab.Script{Metadata: withMethods(nil)}},
				variant{"OpenID Connect metadata without code_challenge_methods_supported", lab.Script{IssuerAt: []string{issuerOpenID}, Metadata: withMethods(nil)}}),
		},
		{
			ID: "client/pkce/never-plain", Role: engine.Client, Level: engine.Must, Severity: engine.High,
			Reference: "OAuth 2.1-13 section 4.1.1; RFC 7636 section 4.2",
			Sentence:  "A client that can do S256 never falls back to plain, whatever the metadata offers.",
			Covers:    []string{"client-pkce-s256", "CL-007", "CL-031"},
			RunClient: spared(lab.Script{}, fetchedIssuer, func(l *lab.Lab) string {
				for _, one := range l.Authorizations(l.Authority()) {
					if method := one.Query.Get("code_challenge_method"); method != "S256" {
						return fmt.Sprintf("an authorization request with code_challenge_method %q", method)
					}
				}
				return ""
			}, variant{"plain as the only method", lab.Script{Metadata: withMethods([]string{"plain"})}}, variant{"a method that resembles S256", lab.Script{Metadata: withMethods([]string{"s256"})}},
				variant{"no method", lab.Script{Metadata: withMethods([]string{})}}),
		},
		{
			ID: "client/pkce/fresh", Role: engine.Client, Level: engine.Must, Severity: engine.High,
			Reference: "RFC 7636 sections 4.1 and 7.1",
			Sentence:  "Each authorization request has a verifier of its own, of 43 to 128 characters that are allowed.",
			Covers:    []string{"client-pkce-fresh-verifier", "CL-012"},
			RunClient: func(ctx context.Context, p *engine.ClientProbe) error {
				var challenges, verifiers []string
				for range 2 {
					l, err := control(ctx, p, lab.Script{})
					if err != nil {
						return err
					}
					for _, one := range l.Authorizations(l.Authority()) {
						if challenge := one.Query.Get("code_challenge"); slices.Contains(challenges, challenge) {
							return l.Insecure("another code_challenge each time", "the same twice")
						} else {
							challenges = append(challenges, challenge)
						}
					}
					for _, one := range l.TokenRequests(l.Authority()) {
						verifier := one.Form.Get("code_verifier")
						if !regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`).MatchString(verifier) {
							return l.Mismatch("a code_verifier of 43 to 128 characters that are allowed", fmt.Sprintf("one of %d", len(verifier)))
						}
						if slices.Contains(verifiers, verifier) {
							return l.Insecure("another code_verifier each time", "the same twice")
						}
						verifiers = append(verifiers, verifier)
					}
				}
				return nil
			},
		},
		{
			ID: "client/authorization/code-only", Role: engine.Client, Level: engine.Must, Severity: engine.High,
			Reference: "OAuth 2.1-13 sections 4.1.1 and 10; RFC 9700 section 2.4",
			Sentence:  "A client never uses the implicit grant, or a person's password, even where nothing else is offered.",
			Covers:    []string{"CL-031"},
			RunClient: spared(lab.Script{}, fetchedIssuer, func(l *lab.Lab) string {
				for _, one := range l.Authorizations(l.Authority()) {
					if kind := one.Query.Get("response_type"); kind != "code" {
						return fmt.Sprintf("an authorization request with response_type %q", kind)
					}
				}
				for _, one := range l.TokenRequests(l.Authority()) {
					if one.Form.Get("grant_type") == "password" {
						return "a token request with a password"
					}
				}
				return ""
			}, variant{"metadata with the implicit grant and passwords only", lab.Script{Metadata: func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
				document["response_types_supported"], document["grant_types_supported"] = []string{"token"}, []string{"implicit", "password"}
			}}}),
		},
		{
			ID: "client/state/sent", Role: engine.Client, Level: engine.Should, Revisions: since20250618,
			Reference: "MCP 2025-06-18 authorization, Open Redirection; OAuth 2.1-13 section 7.9",
			Sentence:  "An authorization request has a state, and another one each time.",
			Covers:    []string{"client-state-sent"},
			RunClient: func(ctx context.Context, p *engine.ClientProbe) error {
				var states []string
				for range 2 {
					l, err := control(ctx, p, lab.Script{})
					if err != nil {
						return err
					}
					for _, one := range l.Authorizations(l.Authority()) {
						state := one.Query.Get("state")
						if state == "" {
							return l.Mismatch("a state", "none")
						}
						if slices.Contains(states, state) {
							return l.Mismatch("another state each time", "the same twice")
						}
						states = append(states, state)
					}
				}
				return nil
			},
		},
		{
			ID: "client/resource/authorization", Role: engine.Client, Level: engine.Must, Revisions: since20250618, Severity: engine.High,
			Reference: "RFC 8707 section 2.1; MCP 2025-06-18 authorization, Resource Parameter Implementation",
			Sentence:  "An authorization request says in resource whom the token is for, whether or not the authorization server knows that parameter.",
			Covers:    []string{"client-resource-authorization", "client-resource-always"},
			RunClient: observed(lab.Script{}, eachAuthorization(func(l *lab.Lab, asked url.Values) error { return wantParameter(l, asked, "resource") })),
		},
		{
			ID: "client/resource/token", Role: engine.Client, Level: engine.Must, Revisions: since20250618, Severity: engine.High,
			Reference: "RFC 8707 section 2.2; MCP 2025-06-18 authorization, Resource Parameter Implementation",
			Sentence:  "A token request has the resource of the authorization request.",
			Covers:    []string{"client-resource-token", "client-resource-always"},
			RunClient: observed(lab.Script{}, func(l *lab.Lab) error {
				for i, one := range l.TokenRequests(l.Authority()) {
					if err := wantParameter(l, one.Form, "resource"); err != nil {
						return err
					}
					if asked := l.Authorizations(l.Authority()); i < len(asked) && asked[i].Query.Get("resource") != "" && asked[i].Query.Get("resource") != one.Form.Get("resource") {
						return l.Mismatch("resource "+asked[i].Query.Get("resource"), one.Form.Get("resource"))
					}
				}
				return nil
			}),
		},
		{
			ID: "client/resource/refresh", Role: engine.Client, Level: engine.Must, Revisions: since20250618, Severity: engine.High,
			Reference: "RFC 8707 section 2.2; MCP 2025-06-18 authorization, Resource Parameter Implementation",
			Sentence:  "A refresh request has the resource too.",
			Covers:    []string{"client-resource-refresh"},
			RunClient: observed(lab.Script{Refresh: true, OldTokens: 1}, func(l *lab.Lab) error {
				made := refreshes(l, l.Authority())
				if len(made) == 0 {
					return &engine.NotApplicable{Reason: "the client does not refresh"}
				}
				for _, one := range made {
					if err := wantParameter(l, one.Form, "resource"); err != nil {
						return err
					}
				}
				return nil
			}),
		},
		{
			ID: "client/resource/value", Role: engine.Client, Level: engine.Must, Revisions: since20250618, Severity: engine.High,
			Reference: "RFC 8707 section 2; MCP 2025-06-18 authorization, Canonical Server URI",
			Sentence:  "The resource is the address of the MCP server, or what its metadata calls it.",
			Covers:    []string{"client-resource-identifies-server"},
			RunClient: observed(lab.Script{}, eachAuthorization(func(l *lab.Lab, asked url.Values) error {
				if got := asked.Get("resource"); got != "" && !strings.EqualFold(strings.TrimSuffix(got, "/"), l.URL()) {
					return l.Mismatch("resource "+l.URL(), got)
				}
				return nil
			})),
		},
		{
			ID: "client/resource/canonical", Role: engine.Client, Level: engine.Should, Revisions: since20250618,
			Reference: "MCP 2025-06-18 authorization, Canonical Server URI",
			Sentence:  "The resource has scheme and host in lower case, no needless slash at its end, and the most specific path.",
			Covers:    []string{"client-resource-canonical-form"},
			RunClient: works(lab.Script{}, eachAuthorization(func(l *lab.Lab, asked url.Values) error {
				if got := asked.Get("resource"); got != "" && got != l.URL() {
					return l.Mismatch("resource "+l.URL(), got)
				}
				return nil
			}), variant{"an address in upper case", lab.Script{Host: "localhost", URL: func(l *lab.Lab) string { return strings.Replace(l.URL(), "http://localhost", "HTTP://LOCALHOST", 1) }}},
				variant{"an endpoint with a longer path", lab.Script{Path: "/team/tools/mcp"}}),
		},
		{
			ID: "client/resource/kept", Role: engine.Client, Level: engine.Must, Revisions: since20250618, Severity: engine.High,
			Reference: "MCP 2025-06-18 authorization, Resource Parameter Implementation",
			Sentence:  "A client does not leave out the resource because the authorization server refuses it.",
			Covers:    []string{"client-resource-always"},
			RunClient: spared(lab.Script{}, func(l *lab.Lab) bool { return len(l.TokenRequests(l.Authority())) > 0 }, func(l *lab.Lab) string {
				for _, one := range l.TokenRequests(l.Authority()) {
					if !one.Form.Has("resource") {
						return "a token request without resource"
					}
				}
				return ""
			}, variant{"the refusal invalid_target", lab.Script{Token: refusing("invalid_target", 1)}}),
		},
	}
}

func withMethods(methods []string) func(*lab.Lab, lab.Party, string, map[string]any) {
	return func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
		if document["code_challenge_methods_supported"] = methods; methods == nil {
			delete(document, "code_challenge_methods_supported")
		}
	}
}

// refusing has the first so many token requests refused.
func refusing(code string, times int) func(*lab.Lab, lab.Party, url.Values, map[string]any) int {
	return func(l *lab.Lab, party lab.Party, _ url.Values, answer map[string]any) int {
		if len(l.TokenRequests(party)) > times {
			return 0
		}
		clear(answer)
		answer["error"] = code
		return 400
	}
}

// eachAuthorization judges the parameters of each authorization request. There has to be one.
func eachAuthorization(judge func(l *lab.Lab, asked url.Values) error) func(l *lab.Lab) error {
	return func(l *lab.Lab) error {
		made := l.Authorizations(l.Authority())
		if len(made) == 0 {
			return &engine.CannotJudge{Reason: "the client sends nobody to the authorization endpoint", Err: ending(l)}
		}
		for _, one := range made {
			params := one.Query
			if one.Form != nil {
				params = one.Form
			}
			if err := judge(l, params); err != nil {
				return err
			}
		}
		return nil
	}
}

func wantParameter(l *lab.Lab, form url.Values, name string) error {
	if len(form[name]) != 1 || form.Get(name) == "" {
		return l.Mismatch("one "+name, fmt.Sprintf("%q", form[name]))
	}
	return nil
}

// clientScope: which scopes a client asks for (MCP 2025-11-25 authorization, Scope Selection Strategy).
func clientScope() []engine.Check {
	reference := "MCP 2025-11-25 authorization, Scope Selection Strategy"
	return []engine.Check{
		{
			ID: "client/scope/challenge", Role: engine.Client, Level: engine.Should, Revisions: since20251125, Reference: reference,
			Sentence:  "The scopes of the challenge are asked for.",
			Covers:    []string{"client-scope-from-challenge"},
			RunClient: observed(lab.Script{Scope: "tools.read tools.call", Scopes: []string{"tools.read", "tools.admin"}}, wantScopes("tools.read", "tools.call")),
		},
		{
			ID: "client/scope/authoritative", Role: engine.Client, Level: engine.Must, Revisions: since20251125, Reference: reference,
			Sentence:  "The scopes of the challenge are asked for although the metadata does not list them.",
			Covers:    []string{"client-scope-challenge-authoritative"},
			RunClient: observed(lab.Script{Scope: "unlisted.read", Scopes: []string{"tools.read", "tools.call"}}, wantScopes("unlisted.read")),
		},
		{
			ID: "client/scope/metadata", Role: engine.Client, Level: engine.Should, Revisions: since20251125, Reference: reference,
			Sentence:  "Without scopes in the challenge all of the metadata's are asked for.",
			Covers:    []string{"client-scope-from-prm"},
			RunClient: observed(lab.Script{Scopes: []string{"tools.read", "tools.call"}}, wantScopes("tools.read", "tools.call")),
		},
		{
			ID: "client/scope/omitted", Role: engine.Client, Level: engine.Should, Revisions: since20251125, Reference: reference,
			Sentence: "With no scopes in the challenge or the metadata the parameter is left out.",
			Covers:   []string{"client-scope-omitted"},
			RunClient: observed(lab.Script{}, eachAuthorization(func(l *lab.Lab, asked url.Values) error {
				if asked.Has("scope") {
					return l.Mismatch("no scope", fmt.Sprintf("%q", asked.Get("scope")))
				}
				return nil
			})),
		},
		{
			ID: "client/scope/least", Role: engine.Client, Level: engine.Should, Revisions: since20251125, Severity: engine.Medium,
			Reference: "MCP 2025-11-25 authorization, Scope Selection Strategy; Security Best Practices, Scope Minimization",
			Sentence:  "No other scopes than those of the challenge are asked for, but for offline_access where the authorization server lists it.",
			Covers:    []string{"client-scope-least-privilege"},
			RunClient: observed(lab.Script{Scope: "tools.read", Scopes: []string{"tools.read", "tools.call", "tools.admin"}}, noScopesBut("tools.read", "offline_access")),
		},
		{
			ID: "client/scope/offline-access", Role: engine.Client, Level: engine.Should, Revisions: since20260728,
			Reference: "MCP 2026-07-28 authorization, Refresh Tokens",
			Sentence:  "offline_access is not asked for where the authorization server does not list it.",
			Covers:    []string{"client-offline-access-not-added", "client-offline-access-added"},
			RunClient: observed(lab.Script{Scope: "tools.read", Metadata: func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
				document["scopes_supported"] = []string{"tools.read"}
			}}, eachAuthorization(func(l *lab.Lab, asked url.Values) error {
				if slices.Contains(strings.Fields(asked.Get("scope")), "offline_access") {
					return l.Mismatch("no offline_access", asked.Get("scope"))
				}
				return nil
			})),
		},
	}
}

func wantScopes(scopes ...string) func(l *lab.Lab) error {
	return eachAuthorization(func(l *lab.Lab, asked url.Values) error {
		for _, one := range scopes {
			if !slices.Contains(strings.Fields(asked.Get("scope")), one) {
				return l.Mismatch("the scopes "+strings.Join(scopes, " "), fmt.Sprintf("%q", asked.Get("scope")))
			}
		}
		return nil
	})
}

func noScopesBut(scopes ...string) func(l *lab.Lab) error {
	return eachAuthorization(func(l *lab.Lab, asked url.Values) error {
		for _, one := range strings.Fields(asked.Get("scope")) {
			if !slices.Contains(scopes, one) {
				return l.Mismatch("no other scopes than "+strings.Join(scopes, " "), asked.Get("scope"))
			}
		}
		return nil
	})
}
