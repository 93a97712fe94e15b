package checks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/issuers/internal/bench"
)

// refreshChecks returns the checks of authorization-server/refresh: refresh tokens.
func refreshChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/refresh/rotated",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since(check.R20250618),
				Reference: "OAuth 2.1 section 4.3.1; MCP 2025-06-18 authorization, Token Theft",
				Sentence:  "A refresh token of a public client works once.",
				Covers:    []string{"as-refresh-rotation", "server-legacy-token-rotation"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   refreshRotated,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/refresh/replay",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: since(check.R20250618),
				Reference: "OAuth 2.1 section 4.3.1; RFC 9700 section 4.14.2",
				Sentence:  "A public client's grant ends when one of its refresh tokens is used again.",
				Covers:    []string{"as-refresh-replay-detected", "AS-054"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   refreshReplay,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/refresh/grace",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: since(check.R20250618),
				Reference: "OAuth 2.1 section 4.3.1; RFC 9700 section 4.14.2",
				Sentence:  "A used refresh token of a public client does not work again after a short grace.",
				Covers:    []string{"as-refresh-rotation", "as-refresh-replay-detected", "AS-054"},
			},
			Needs: []bench.Need{bench.SignIn, bench.Clock},
			Run:   refreshGrace,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/refresh/concurrent",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "OAuth 2.1 section 4.3.1",
				Sentence:  "Refreshes with one token at the same time lead to one new refresh token at most.",
				Covers:    []string{"AS-056"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   refreshConcurrent,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/refresh/client",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 6749 sections 6 and 10.4",
				Sentence:  "A refresh token works only for its client.",
				Covers:    []string{"as-refresh-bound-to-client", "AS-055"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   refreshClient,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/refresh/secret",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 6749 section 6",
				Sentence:  "A client with a secret authenticates when it refreshes.",
				Covers:    []string{"as-refresh-bound-to-client"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   refreshSecret,
		},
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

// defaultGrace is how long most servers accept a used refresh token again, for clients that lost
// the answer.
const defaultGrace = time.Minute

// refreshedTwice takes a public client through a grant and two refreshes, and returns the refresh
// tokens. A server may leave one out of an answer, which keeps the old one.
func refreshedTwice(ctx context.Context, p *bench.Probe) (*bench.Client, [3]string, error) {
	client, err := p.Public(ctx)
	if err != nil {
		return nil, [3]string{}, err
	}
	tokens, err := p.WithRefresh(ctx, client)
	if err != nil {
		return nil, [3]string{}, err
	}
	chain := [3]string{tokens.Refresh}
	for i := 1; i < len(chain); i++ {
		next, err := mustRefresh(ctx, p, client, chain[i-1])
		if err != nil {
			return nil, chain, err
		}
		chain[i] = next.Refresh
		if chain[i] == "" {
			chain[i] = chain[i-1]
		}
	}
	return client, chain, nil
}

// mustRefresh redeems a good refresh token. The check cannot be done if that fails.
func mustRefresh(
	ctx context.Context, p *bench.Probe, client *bench.Client, refresh string, changes ...bench.Change,
) (*bench.Tokens, error) {
	answer, tokens, err := p.Refresh(ctx, client, refresh, changes...)
	if err == nil && tokens == nil {
		err = &check.CannotJudge{Reason: "the control failed: a good refresh token is answered with " + answer.String()}
	}
	return tokens, err
}

// withinGrace says that the server accepts a used token, and may do so for a while.
var withinGrace = &check.NotApplicable{
	Reason: "a used refresh token still works; refresh/grace tries whether that ends",
}

// refreshRotated refreshes twice, and then uses the first refresh token again.
func refreshRotated(ctx context.Context, p *bench.Probe) error {
	client, chain, err := refreshedTwice(ctx, p)
	if err != nil {
		return err
	}
	if chain[0] == chain[2] {
		_, again, err := p.Refresh(ctx, client, chain[2])
		if err != nil || again == nil {
			return err
		}
		return p.Insecure("a new refresh token, or an end of the old one", "the same refresh token, good four times")
	}
	_, tokens, err := p.Refresh(ctx, client, chain[0])
	if err == nil && tokens != nil {
		return withinGrace
	}
	return err
}

// errNotRotated skips a check about rotated tokens.
var errNotRotated = &check.Skipped{
	Of:     "authorization-server/refresh/rotated",
	Reason: "the server does not rotate refresh tokens",
}

// refreshReplay uses the first of three refresh tokens again, and then the newest.
func refreshReplay(ctx context.Context, p *bench.Probe) error {
	client, chain, err := refreshedTwice(ctx, p)
	if err != nil {
		return err
	}
	if chain[0] == chain[2] {
		return errNotRotated
	}
	_, stolen, err := p.Refresh(ctx, client, chain[0])
	switch {
	case err != nil:
		return err
	case stolen != nil:
		return withinGrace
	}
	return newestRefused(ctx, p, client, chain)
}

// newestRefused wants the newest refresh token refused, after an older one came again.
func newestRefused(ctx context.Context, p *bench.Probe, client *bench.Client, chain [3]string) error {
	_, newest, err := p.Refresh(ctx, client, chain[2])
	if err != nil || newest == nil {
		return err
	}
	return p.Insecure("an end of the grant, after a used refresh token came again", "tokens for the newest one")
}

// refreshGrace waits until a used refresh token must not work any more, and uses it.
func refreshGrace(ctx context.Context, p *bench.Probe) error {
	client, chain, err := refreshedTwice(ctx, p)
	if err != nil {
		return err
	}
	if chain[0] == chain[2] {
		return errNotRotated
	}
	p.Target().Advance(max(p.Target().Grace, defaultGrace) + time.Second)
	_, stolen, err := p.Refresh(ctx, client, chain[0])
	switch {
	case err != nil:
		return err
	case stolen != nil:
		return p.Insecure("no tokens for a refresh token that was used before", "tokens")
	}
	return newestRefused(ctx, p, client, chain)
}

// atOnce is the number of refreshes at the same time.
const atOnce = 8

// refreshConcurrent refreshes many times at once, and wants one new refresh token that works.
func refreshConcurrent(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	tokens, err := p.WithRefresh(ctx, client)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var running sync.WaitGroup
	made := map[string]bool{}
	var failed error
	for range atOnce {
		clone := p.Clone()
		running.Go(func() {
			_, next, err := clone.Refresh(ctx, client, tokens.Refresh)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
			} else if next != nil && next.Refresh != "" && next.Refresh != tokens.Refresh {
				made[next.Refresh] = true
			}
		})
	}
	running.Wait()
	if failed != nil {
		return failed
	}
	alive := 0
	for refresh := range made {
		_, next, err := p.Refresh(ctx, client, refresh)
		if err != nil {
			return err
		}
		if next != nil {
			alive++
		}
	}
	if alive > 1 {
		return p.Insecure("one new refresh token that works, at most", fmt.Sprintf("%d", alive))
	}
	return nil
}

// refreshClient uses a refresh token as another client.
func refreshClient(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	other, err := p.Second(ctx)
	if err != nil {
		return err
	}
	control, err := p.WithRefresh(ctx, client)
	if err != nil {
		return err
	}
	if _, err := mustRefresh(ctx, p, client, control.Refresh); err != nil {
		return err
	}
	tokens, err := p.WithRefresh(ctx, client)
	if err != nil {
		return err
	}
	answer, stolen, err := p.Refresh(ctx, other, tokens.Refresh)
	return refusedRefresh(p, answer, stolen, err, "a refresh token of another client")
}

// refusedRefresh wants a refresh refused with 400 or 401.
func refusedRefresh(p *bench.Probe, answer *bench.Answer, tokens *bench.Tokens, err error, what string) error {
	switch {
	case err != nil:
		return err
	case tokens != nil:
		return p.Insecure("no tokens for "+what, "tokens")
	case answer.Status != 400 && answer.Status != 401:
		return p.MismatchAt(check.Should, "status 400 or 401 to "+what, answer.String())
	}
	return nil
}

// refreshSecret refreshes as a client with a secret, with a wrong one and without one.
func refreshSecret(ctx context.Context, p *bench.Probe) error {
	client, err := p.Confidential(ctx)
	if err != nil {
		return err
	}
	control, err := p.WithRefresh(ctx, client)
	if err != nil {
		return err
	}
	if _, err := mustRefresh(ctx, p, client, control.Refresh); err != nil {
		return err
	}
	wrong := *client
	wrong.Secret = "wrong-" + client.Secret
	without := *client
	without.Secret = ""
	type attempt struct {
		name   string
		client bench.Client
	}
	return inputs.TryAll([]attempt{{"a wrong secret", wrong}, {"no secret", without}}, func(a attempt) error {
		tokens, err := p.WithRefresh(ctx, client)
		if err != nil {
			return err
		}
		answer, stolen, err := p.Refresh(ctx, &a.client, tokens.Refresh)
		return refusedRefresh(p, answer, stolen, err, "a refresh with "+a.name)
	})
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
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	tokens, err := p.WithRefresh(ctx, client, bench.Set("scope", first))
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
	control, err := p.WithRefresh(ctx, client, both)
	if err != nil {
		return err
	}
	whole, err := mustRefresh(ctx, p, client, control.Refresh, both)
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
	narrow, err := mustRefresh(ctx, p, client, tokens.Refresh, bench.Set("scope", first))
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
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	tokens, err := p.WithRefresh(ctx, client)
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
