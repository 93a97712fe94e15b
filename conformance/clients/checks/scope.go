package checks

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// scopeChecks are checks of client/scope.
func scopeChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/scope/challenge",
				Level:     check.Should,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Scope Selection Strategy",
				Sentence:  "The scopes of the challenge are asked for.",
				Covers:    []string{"client-scope-from-challenge"},
			},
			Run: judge(
				lab.Script{Scope: "tools.read tools.call", Scopes: []string{"tools.read", "tools.admin"}},
				wantScopes("tools.read", "tools.call"),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/scope/authoritative",
				Level:     check.Must,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Scope Selection Strategy",
				Sentence:  "The scopes of the challenge are asked for although the metadata does not list them.",
				Covers:    []string{"client-scope-challenge-authoritative"},
			},
			Run: judge(
				lab.Script{Scope: "unlisted.read", Scopes: []string{"tools.read", "tools.call"}},
				wantScopes("unlisted.read"),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/scope/metadata",
				Level:     check.Should,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Scope Selection Strategy",
				Sentence:  "Without scopes in the challenge all of the metadata's are asked for.",
				Covers:    []string{"client-scope-from-prm"},
			},
			Run: judge(
				lab.Script{Scopes: []string{"tools.read", "tools.call"}},
				wantScopes("tools.read", "tools.call"),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/scope/omitted",
				Level:     check.Should,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Scope Selection Strategy",
				Sentence:  "With no scopes in the challenge or the metadata the parameter is left out.",
				Covers:    []string{"client-scope-omitted"},
			},
			Run: judge(lab.Script{}, eachAuthorization(func(l *lab.Lab, asked url.Values) error {
				if asked.Has("scope") {
					return l.Mismatch("no scope", fmt.Sprintf("%q", asked.Get("scope")))
				}
				return nil
			})),
		},
		{
			Rule: check.Rule{
				ID:        "client/scope/least",
				Level:     check.Should,
				Severity:  check.Medium,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Scope Selection Strategy; Security Best Practices, Scope " +
					"Minimization",
				Sentence: "No other scopes than those of the challenge are asked for, but for offline_access where " +
					"the authorization server lists it.",
				Covers: []string{"client-scope-least-privilege"},
			},
			Run: judge(
				lab.Script{Scope: "tools.read", Scopes: []string{"tools.read", "tools.call", "tools.admin"}},
				noScopesBut("tools.read", "offline_access"),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/scope/offline-access",
				Level:     check.Should,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 authorization, Refresh Tokens",
				Sentence:  "offline_access is not asked for where the authorization server does not list it.",
				Covers:    []string{"client-offline-access-not-added", "client-offline-access-added"},
			},
			Run: judge(
				lab.Script{
					Scope: "tools.read",
					Metadata: func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
						document["scopes_supported"] = []string{"tools.read"}
					},
				},
				eachAuthorization(func(l *lab.Lab, asked url.Values) error {
					if slices.Contains(strings.Fields(asked.Get("scope")), "offline_access") {
						return l.Mismatch("no offline_access", asked.Get("scope"))
					}
					return nil
				}),
			),
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
