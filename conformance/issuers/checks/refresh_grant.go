package checks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// refreshGrantChecks returns the checks of authorization-server/refresh: whether a refresh keeps to
// the scopes and the resource of its grant.
func refreshGrantChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/refresh/no-wider-scope",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 6749 section 6",
				Sentence:  "A refresh adds no scope to those that were granted.",
				Covers:    []string{"as-refresh-no-scope-growth", "AS-055"},
			},
			Needs: []bench.Need{bench.SignIn, bench.Scopes},
			Run:   refreshNoWiderScope,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/refresh/scope-kept",
				Level:     check.Must,
				Reference: "RFC 6749 section 6",
				Sentence:  "A refresh for fewer scopes leaves the grant as it was.",
				Covers:    []string{"as-refresh-scope-kept"},
			},
			Needs: []bench.Need{bench.SignIn, bench.Scopes},
			Run:   refreshScopeKept,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/refresh/resource",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since(check.R20250618),
				Reference: "OAuth 2.1 section 4.3; RFC 8707 section 2.2",
				Sentence:  "A refresh gives no token for a resource that was not granted.",
				Covers:    []string{"as-refresh-bound-to-resource", "AS-055"},
			},
			Needs: []bench.Need{bench.SignIn, bench.Resource, bench.Another},
			Run:   refreshResource,
		},
	}
}

// twoScopes returns two scopes of the target.
func twoScopes(p *bench.Probe) (first, second string, err error) {
	scopes := p.Target().Scopes
	if len(scopes) < 2 {
		return "", "", &check.NotApplicable{Reason: "the target names fewer than two scopes"}
	}
	return scopes[0], scopes[1], nil
}

// holds reports whether tokens show a scope. Known is false if they show no scope at all.
func holds(tokens *bench.Tokens, scope string) (found, known bool) {
	text := tokens.Scope
	if text == "" {
		text, _ = claimsOf(tokens.Access)["scope"].(string)
	}
	return slices.Contains(strings.Fields(text), scope), text != ""
}

// claimsOf returns the claims of a JWT. They are empty for other tokens.
func claimsOf(token string) map[string]any {
	claims := map[string]any{}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims
	}
	_ = json.Unmarshal(text, &claims)
	return claims
}

var errNoScopeShown = &check.NotApplicable{Reason: "neither the answer nor the token shows its scope"}

// refreshNoWiderScope gets a grant of one scope, and asks for two when it refreshes.
func refreshNoWiderScope(ctx context.Context, p *bench.Probe) error {
	first, second, err := twoScopes(p)
	if err != nil {
		return err
	}
	client, tokens, err := p.PublicWithRefresh(ctx, bench.Set("scope", first))
	if err != nil {
		return err
	}
	if more, _ := holds(tokens, second); more {
		return &check.NotApplicable{Reason: "the server grants the second scope unasked"}
	}
	_, wider, err := p.Refresh(ctx, client, tokens.Refresh, bench.Set("scope", first+" "+second))
	if err != nil || wider == nil {
		return err
	}
	more, known := holds(wider, second)
	switch {
	case !known:
		return errNoScopeShown
	case more:
		return p.Insecure("no token with a scope that was not granted", "a token with the scope "+second)
	}
	return nil
}

// refreshScopeKept refreshes for one scope of two, and then for both.
func refreshScopeKept(ctx context.Context, p *bench.Probe) error {
	first, second, err := twoScopes(p)
	if err != nil {
		return err
	}
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	both := bench.Set("scope", first+" "+second)
	whole, err := p.ControlRefresh(ctx, client, both)
	if err != nil {
		return err
	}
	if has, _ := holds(whole, second); !has {
		return errNoScopeShown
	}
	tokens, err := p.WithRefresh(ctx, client, both)
	if err != nil {
		return err
	}
	narrow, err := p.Refreshed(ctx, client, tokens.Refresh, bench.Set("scope", first))
	if err != nil {
		return err
	}
	newest := narrow.Refresh
	if newest == "" {
		newest = tokens.Refresh
	}
	answer, again, err := p.Refresh(ctx, client, newest, both)
	if err != nil {
		return err
	}
	if again == nil {
		return p.Mismatch("tokens with both granted scopes, after a refresh for one", answer.String())
	}
	if has, known := holds(again, second); known && !has {
		return p.Mismatch("the scope "+second+", after a refresh without it", again.Scope)
	}
	return nil
}

// refreshResource asks for another resource when it refreshes.
func refreshResource(ctx context.Context, p *bench.Probe) error {
	client, tokens, err := p.PublicWithRefresh(ctx)
	if err != nil {
		return err
	}
	other := p.Target().OtherResource
	_, changed, err := p.Refresh(ctx, client, tokens.Refresh, bench.Set("resource", other))
	if err != nil || changed == nil {
		return err
	}
	audience, isShown := claimsOf(changed.Access)["aud"]
	switch {
	case !isShown:
		return &check.NotApplicable{Reason: "the token does not show its audience"}
	case isFor(audience, other):
		return p.Insecure("no token for a resource that was not granted", "a token for it")
	}
	return nil
}

// isFor reports whether an aud claim names a resource.
func isFor(audience any, resource string) bool {
	if list, isList := audience.([]any); isList {
		return slices.Contains(list, any(resource))
	}
	return audience == resource
}
