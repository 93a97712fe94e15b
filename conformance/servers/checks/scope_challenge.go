package checks

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// scopeChallengeChecks returns the checks of server/scope about the refusal of a token without the
// required scope (RFC 6750 section 3.1).
func scopeChallengeChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "server/scope/status",
				Level:        check.Must,
				EachRevision: true,
				Reference:    "MCP authorization, Error Handling; RFC 6750 section 3.1",
				Sentence:     "A token without the required scope is refused with 403.",
				Covers:       []string{"server-403-insufficient-scope"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Run:    scopeStatus,
		},
		{
			Rule: check.Rule{
				ID:        "server/scope/error-code",
				Level:     check.Should,
				Revisions: since(check.R20251125),
				Reference: "MCP 2025-11-25 authorization, Runtime Insufficient Scope Errors; RFC 6750 section 3.1",
				Sentence:  "The challenge of the 403 says error=\"insufficient_scope\".",
				Covers:    []string{"server-403-error-code"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Run:    scopeErrorCode,
		},
		{
			Rule: check.Rule{
				ID:        "server/scope/named",
				Level:     check.Should,
				Revisions: since(check.R20251125),
				Reference: "MCP 2025-11-25 authorization, Runtime Insufficient Scope Errors; RFC 6750 section 3.1",
				Sentence:  "The challenge of the 403 names the scopes that the operation needs.",
				Covers:    []string{"server-403-scope"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Run:    scopeNamed,
		},
		{
			Rule: check.Rule{
				ID:        "server/scope/resource-metadata",
				Level:     check.Should,
				Revisions: since(check.R20251125),
				Reference: "MCP 2025-11-25 authorization, Runtime Insufficient Scope Errors; RFC 6750 section 3.1",
				Sentence:  "The challenge of a 403 names the same metadata as the challenge of a 401.",
				Covers:    []string{"server-403-resource-metadata"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Run:    scopeResourceMetadata,
		},
		{
			Rule: check.Rule{
				ID:        "server/scope/stable",
				Level:     check.Should,
				Revisions: since(check.R20251125),
				Reference: "MCP 2025-11-25 authorization, Runtime Insufficient Scope Errors",
				Sentence:  "The server asks for the same scopes each time it refuses the same request.",
				Covers:    []string{"server-401-scope-consistent", "server-403-consistent"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Run:    scopeStable,
		},
		{
			Rule: check.Rule{
				ID:        "server/scope/no-offline-access",
				Level:     check.Should,
				Revisions: since(check.R20260728),
				Reference: "MCP 2026-07-28 authorization, Refresh Tokens",
				Sentence:  "The challenge of the 403 does not ask for offline_access.",
				Covers:    []string{"server-401-no-offline-access"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Run:    scopeNoOfflineAccess,
		},
		{
			Rule: check.Rule{
				ID:        "server/scope/challenged-scopes-suffice",
				Level:     check.Should,
				Revisions: since(check.R20251125),
				Reference: "MCP 2026-07-28 authorization, Runtime Insufficient Scope Errors; MCP security best " +
					"practices, Scope Minimization",
				Sentence: "A token with exactly the scopes that the challenge names is served.",
				Covers: []string{
					"server-403-single-challenge",
					"server-403-upgraded-token-works",
					"server-downscope-tolerance",
				},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    scopeChallengedScopesSuffice,
		},
	}
}

// scopeStatus tries server/scope/status. Since 2025-11-25 the status is a SHOULD, because the
// section on runtime errors relaxes it.
func scopeStatus(ctx context.Context, p *bench.Probe) error {
	_, answer, _, err := sendWithoutScope(ctx, p)
	if err != nil || answer.Status == http.StatusForbidden {
		return err
	}
	level := check.Must
	if slices.Contains(since(check.R20251125), p.Revision) {
		level = check.Should
	}
	return p.MismatchAt(level, "status 403", fmt.Sprintf("status %d", answer.Status))
}

// scopeErrorCode tries server/scope/error-code.
func scopeErrorCode(ctx context.Context, p *bench.Probe) error {
	_, challenge, err := scopeRefusal(ctx, p)
	if err == nil && challenge["error"] != "insufficient_scope" {
		return p.Mismatch("error=\"insufficient_scope\"", fmt.Sprintf("%q", challenge["error"]))
	}
	return err
}

// scopeRefusal returns the 403 to a token that lacks the required scope, and its challenge.
func scopeRefusal(ctx context.Context, p *bench.Probe) (*bench.Answer, bench.Challenge, error) {
	_, answer, _, err := sendWithoutScope(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	if answer.Status != http.StatusForbidden {
		return nil, nil, &check.NotApplicable{
			Reason: fmt.Sprintf("a token that lacks the scope is answered with status %d and not 403", answer.Status),
		}
	}
	challenge, err := p.Challenge(answer)
	return answer, challenge, err
}

// scopeNamed tries server/scope/named.
func scopeNamed(ctx context.Context, p *bench.Probe) error {
	_, challenge, err := scopeRefusal(ctx, p)
	if err == nil && strings.TrimSpace(challenge["scope"]) == "" {
		return p.Mismatch("a parameter scope", "none")
	}
	return err
}

// scopeResourceMetadata tries server/scope/resource-metadata.
func scopeResourceMetadata(ctx context.Context, p *bench.Probe) error {
	_, unauthorized, err := attack.Unauthenticated(ctx, p)
	if err != nil {
		return err
	}
	_, challenge, err := scopeRefusal(ctx, p)
	if err != nil {
		return err
	}
	want := unauthorized["resource_metadata"]
	if got := challenge["resource_metadata"]; want != "" && got != want {
		return p.Mismatch("resource_metadata="+want, got)
	}
	return nil
}

// scopeStable compares the scopes of three refusals with 401, and of three with 403.
func scopeStable(ctx context.Context, p *bench.Probe) error {
	for _, refusal := range []func(context.Context, *bench.Probe) (*bench.Answer, bench.Challenge, error){
		attack.Unauthenticated,
		scopeRefusal,
	} {
		var before []string
		for range 3 {
			_, challenge, err := refusal(ctx, p)
			if err != nil {
				return err
			}
			scopes := slices.Sorted(slices.Values(strings.Fields(challenge["scope"])))
			if before != nil && !slices.Equal(before, scopes) {
				return p.Mismatch(strings.Join(before, " "), strings.Join(scopes, " "))
			}
			before = scopes
		}
	}
	return nil
}

// scopeNoOfflineAccess tries server/scope/no-offline-access.
func scopeNoOfflineAccess(ctx context.Context, p *bench.Probe) error {
	_, challenge, err := scopeRefusal(ctx, p)
	if err == nil && slices.Contains(strings.Fields(challenge["scope"]), "offline_access") {
		return p.Mismatch("a scope without offline_access", challenge["scope"])
	}
	return err
}

// scopeChallengedScopesSuffice mints a token with the scopes of the challenge.
func scopeChallengedScopesSuffice(ctx context.Context, p *bench.Probe) error {
	_, challenge, err := scopeRefusal(ctx, p)
	if err != nil {
		return err
	}
	scopes := strings.Fields(challenge["scope"])
	if len(scopes) == 0 {
		return &check.NotApplicable{Reason: "the challenge of the 403 names no scope"}
	}
	token, err := p.Mint(ctx, bench.Edits{Claims: func(claims map[string]any) { grantScopes(claims, scopes) }})
	if err != nil {
		return err
	}
	answer, err := p.Send(ctx, bench.Request{Header: bench.Bearer(token)})
	if err == nil && !answer.Succeeded() {
		return p.Mismatch(
			"the result with the scopes "+strings.Join(scopes, " "),
			fmt.Sprintf("status %d", answer.Status),
		)
	}
	return err
}

// grantScopes puts requested scopes into the claims of a token. Entra is asked for api://…/name and
// writes name into the claim scp.
func grantScopes(claims map[string]any, requested []string) {
	if _, isEntra := claims["scp"]; !isEntra {
		claims["scope"] = strings.Join(requested, " ")
		return
	}
	var names []string
	for _, scope := range requested {
		names = append(names, scope[strings.LastIndexByte(scope, '/')+1:])
	}
	claims["scp"] = strings.Join(names, " ")
}
