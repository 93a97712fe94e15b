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
				Sentence:  "The client requests the scopes of the challenge.",
				Covers:    []string{"client-scope-from-challenge"},
			},
			Needs: []bench.Need{bench.Asking},
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
				Sentence:  "The client requests the scopes of the challenge even if the metadata does not list them.",
				Covers:    []string{"client-scope-challenge-authoritative"},
			},
			Needs: []bench.Need{bench.Asking},
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
				Sentence:  "Without scopes in the challenge the client requests all scopes of the metadata.",
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
				Sentence:  "Without scopes in the challenge or the metadata the client sends no scope parameter.",
				Covers:    []string{"client-scope-omitted"},
			},
			Run: judge(lab.Script{}, eachAuthorization(wantNoScope)),
		},
		{
			Rule: check.Rule{
				ID:        "client/scope/least",
				Level:     check.Should,
				Severity:  check.Medium,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Scope Selection Strategy; Security Best Practices, Scope " +
					"Minimization",
				Sentence: "The client requests only the scopes of the challenge, and offline_access if the " +
					"authorization server lists it.",
				Covers: []string{"client-scope-least-privilege"},
			},
			Needs: []bench.Need{bench.Asking},
			Run: judge(
				lab.Script{Scope: "tools.read", Scopes: []string{"tools.read", "tools.call", "tools.admin"}},
				onlyScopes("tools.read", "offline_access"),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/scope/offline-access",
				Level:     check.Should,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 authorization, Refresh Tokens",
				Sentence:  "The client does not request offline_access if the authorization server does not list it.",
				Covers:    []string{"client-offline-access-not-added", "client-offline-access-added"},
			},
			Run: judge(
				lab.Script{Scope: "tools.read", Metadata: listToolsRead},
				eachAuthorization(wantNoOfflineAccess),
			),
		},
	}
}

// wantNoScope wants no scope parameter.
func wantNoScope(l *lab.Lab, asked url.Values) error {
	if asked.Has("scope") {
		return l.Mismatch("no scope", fmt.Sprintf("%q", asked.Get("scope")))
	}
	return nil
}

// wantNoOfflineAccess wants no scope offline_access.
func wantNoOfflineAccess(l *lab.Lab, asked url.Values) error {
	if slices.Contains(strings.Fields(asked.Get("scope")), "offline_access") {
		return l.Mismatch("no offline_access", asked.Get("scope"))
	}
	return nil
}

// listToolsRead makes the metadata list the scope tools.read only.
func listToolsRead(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
	document["scopes_supported"] = []string{"tools.read"}
}

// wantScopes wants each of these scopes in each authorization request.
func wantScopes(scopes ...string) func(l *lab.Lab) error {
	return eachAuthorization(func(l *lab.Lab, asked url.Values) error {
		for _, scope := range scopes {
			if !slices.Contains(strings.Fields(asked.Get("scope")), scope) {
				want := "the scopes " + strings.Join(scopes, " ")
				return l.Mismatch(want, fmt.Sprintf("%q", asked.Get("scope")))
			}
		}
		return nil
	})
}

// onlyScopes wants no other scopes than these in each authorization request.
func onlyScopes(scopes ...string) func(l *lab.Lab) error {
	return eachAuthorization(func(l *lab.Lab, asked url.Values) error {
		for _, scope := range strings.Fields(asked.Get("scope")) {
			if !slices.Contains(scopes, scope) {
				return l.Mismatch("only the scopes "+strings.Join(scopes, " "), asked.Get("scope"))
			}
		}
		return nil
	})
}
