package checks

import (
	"net/http"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenScopeChecks returns the checks of server/token about what a token permits, and to which
// client (RFC 6750 section 3.1, RFC 9068 section 4).
func tokenScopeChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/lookalike-scope",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 6750 section 3.1; OAuth 2.1 section 1.4.1; RFC 9068 section 2.2.3",
				Sentence: "A scope is compared as a whole and in its letter case. That other claims and an " +
					"asterisk grant nothing is a policy.",
				Covers: []string{"RS-049"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(notAllowed, tokenLookalikeScopeForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/app-only",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "Microsoft identity platform, Claims validation, Validate the actor",
				Sentence: "A token that an application got for itself does not get what a person has " +
					"allowed: its roles are not scopes.",
				Covers: []string{"RS-048", "server-ext-cc-validates"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(notAllowed, tokenAppOnlyForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/public-client",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "Microsoft identity platform, Access token claims reference, azpacr",
				Sentence: "A server that accepts only tokens of confidential clients refuses tokens of " +
					"public clients.",
				Covers: []string{"RS-050"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.PublicClient},
			Run:    refusesKind(bench.PublicClient, notAllowed),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/unlisted-client",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "Microsoft identity platform, Claims validation, Validate the actor",
				Sentence: "A server that accepts only tokens of listed clients refuses tokens of other " +
					"clients.",
				Covers: []string{"RS-050"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.UnlistedClient},
			Run:    refusesKind(bench.UnlistedClient, notAllowed),
		},
	}
}

// tokenLookalikeScopeForgeries returns tokens whose scopes resemble the good token's.
func tokenLookalikeScopeForgeries(jwt *attack.JWT) []attack.Forgery {
	granted := scopes(jwt)
	claim := scopeClaim(jwt)
	list := strings.Fields(granted)
	if len(list) == 0 {
		return nil
	}
	each := func(change func(scope string) string) string {
		changed := make([]string, len(list))
		for i, scope := range list {
			changed[i] = change(scope)
		}
		return strings.Join(changed, " ")
	}
	only := func(name string, value any) bench.Edits {
		return bench.Edits{Claims: attack.Both(withoutScope, attack.Member(name, value))}
	}
	forgeries := []attack.Forgery{
		{Name: "no scope", Edits: bench.Edits{Claims: withoutScope}},
		{Name: "an empty scope", Edits: only(claim, "")},
		{Name: "a blank scope", Edits: only(claim, "   ")},
		{Name: "capitals", Edits: only(claim, each(strings.ToUpper))},
		{Name: "longer ones", Edits: only(claim, each(func(scope string) string { return scope + "x" }))},
		{Name: "ones with a prefix", Edits: only(claim, each(func(scope string) string { return "x" + scope }))},
		{Name: "shorter ones", Edits: only(claim, each(func(scope string) string { return scope[:len(scope)-1] }))},
		{Name: "null", Edits: only(claim, nil)},
		{Name: "a number", Edits: only(claim, 1)},
	}
	// An operator may have a scope for everything, or permissions in other claims.
	for _, policy := range []attack.Forgery{
		{Name: "an asterisk", Edits: only(claim, "*")},
		{Name: "with other ones, between commas", Edits: only(claim, "x,"+strings.Join(list, ",")+",y")},
		{Name: "the claim scopes", Edits: only("scopes", granted)},
		{Name: "the claim roles", Edits: only("roles", list)},
	} {
		policy.Level = check.Policy
		policy.Severity = check.Medium
		forgeries = append(forgeries, policy)
	}
	return forgeries
}

// scopes returns the scopes of a good token.
func scopes(jwt *attack.JWT) string { return attack.Text(jwt.Claims, scopeClaim(jwt)) }

// scopeClaim returns the claim in which the issuer puts the scopes.
func scopeClaim(jwt *attack.JWT) string {
	if _, isEntra := jwt.Claims["scp"]; isEntra {
		return "scp"
	}
	return "scope"
}

// withoutScope removes the claims that grant permissions.
func withoutScope(claims map[string]any) {
	for _, name := range []string{"scp", "scope", "roles"} {
		delete(claims, name)
	}
}

// tokenAppOnlyForgeries returns tokens of an application without a person.
func tokenAppOnlyForgeries(jwt *attack.JWT) []attack.Forgery {
	roles := strings.Fields(scopes(jwt))
	app := func(claims map[string]any) bench.Edits {
		subject := attack.Members(map[string]any{"sub": "an application", "oid": "an application"})
		return bench.Edits{Claims: attack.Both(withoutScope, attack.Both(subject, attack.Members(claims)))}
	}
	return []attack.Forgery{
		{Name: "no roles", Edits: app(map[string]any{"idtyp": "app"})},
		{Name: "the scopes as roles", Edits: app(map[string]any{"idtyp": "app", "roles": roles})},
		{Name: "the scopes as roles, without idtyp", Edits: app(map[string]any{"roles": roles})},
	}
}

// notAllowed are the answers to a good token that does not permit the request.
var notAllowed = []int{http.StatusForbidden, http.StatusUnauthorized}
