package checks

import (
	"context"
	"fmt"
	"sync"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// refreshRotationChecks returns the checks of authorization-server/refresh: how often a refresh
// token works.
func refreshRotationChecks() []bench.Check {
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
	}
}

// defaultGrace is how long most servers accept a used refresh token again, for clients that lost
// the answer.
const defaultGrace = time.Minute

// refreshedTwice takes a public client through a grant and two refreshes, and returns the refresh
// tokens. A server may leave one out of an answer, which keeps the old one.
func refreshedTwice(ctx context.Context, p *bench.Probe) (*bench.Client, [3]string, error) {
	client, tokens, err := p.PublicWithRefresh(ctx)
	if err != nil {
		return nil, [3]string{}, err
	}
	chain := [3]string{tokens.Refresh}
	for i := 1; i < len(chain); i++ {
		next, err := p.Refreshed(ctx, client, chain[i-1])
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
	client, tokens, err := p.PublicWithRefresh(ctx)
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
