package checks

import (
	"context"
	"net/http"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenCachedExpiryChecks returns the check of server/token about caches of verified tokens that
// outlive a token.
func tokenCachedExpiryChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/cached-expiry",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7519 section 4.1.4; MCP authorization, Token Handling",
				Sentence: "A token that was used is refused once it has expired, like a token that was never " +
					"used.",
				Covers: []string{"RS-075", "server-401-expired-token"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.TimedTokens},
			Time:   time.Minute,
			Slow:   true,
			Run:    attack.WithTrial(tokenCachedExpiry),
		},
	}
}

// The times of the check.
const (
	// useWindow is the time in which tokens are used before they expire. A slow server gets
	// slowUseWindow.
	useWindow     = 3 * time.Second
	slowUseWindow = 9 * time.Second
	// cacheGrace is how long a cache may outlive a token. Shorter times say more about the clocks.
	cacheGrace = 2 * time.Second
)

// tokenCachedExpiry uses tokens shortly before the server refuses new tokens with the same expiry
// time, and sends them again afterwards.
func tokenCachedExpiry(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	if !p.CanMint(ctx) {
		return issuedCachedExpiry(ctx, p, trial)
	}
	clock, err := attack.ClockTrial(ctx, p, trial)
	if err != nil {
		return err
	}
	leeway, err := expiryLeeway(ctx, clock)
	if err != nil {
		return err
	}
	for _, window := range []time.Duration{useWindow, slowUseWindow} {
		expiry := clock.Now().Add(window - leeway).Truncate(time.Second)
		expiring := func(ctx context.Context) (string, error) { return clock.Expiring(ctx, expiry) }
		uses, err := useTokens(ctx, p, trial, expiring)
		if err != nil {
			return err
		}
		if len(uses) == 0 {
			continue
		}
		if err := awaitExpiry(ctx, clock, expiry); err != nil {
			return err
		}
		return wantForgotten(ctx, uses, expiring)
	}
	return &check.Skipped{Reason: "the server is too slow to use a token twice before it expires"}
}

// longestLife is the time until the end of a short-lived token, with a doubt about the clocks.
const longestLife = 27 * time.Second

// issuedCachedExpiry uses a token of the issuer that expires soon. Another one, which does not
// expire earlier, stays unused until then. It shows whether the server allows a leeway.
func issuedCachedExpiry(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	answer, err := p.Send(ctx, bench.Request{})
	if err != nil {
		return err
	}
	clock := attack.NewClock(p, answer)
	used, err := p.Token(ctx, bench.ShortLived)
	if err != nil {
		return err
	}
	fresh, err := p.Token(ctx, bench.ShortLived)
	if err != nil {
		return err
	}
	expiry := endOf(used, clock)
	if other := endOf(fresh, clock); other.After(expiry) {
		expiry = other
	}
	left := expiry.Sub(clock.Now())
	if used == fresh || left > longestLife {
		return &check.Skipped{Reason: "the issuer gives no second token that expires within 25 seconds"}
	}
	uses, err := useTokens(ctx, p, trial, func(context.Context) (string, error) { return used, nil })
	if err != nil {
		return err
	}
	if len(uses) == 0 {
		return &check.Skipped{Reason: "the server does not serve a short-lived token several times before it expires"}
	}
	if err := pause(ctx, expiry.Sub(clock.Now())+cacheGrace); err != nil {
		return err
	}
	isServed, err := uses[0].isServed(ctx, fresh)
	if err != nil {
		return err
	}
	if isServed {
		return &check.Skipped{
			Reason: "the server allows a leeway, which is longer than a check without the issuer's key waits",
		}
	}
	return wantForgotten(ctx, uses, func(context.Context) (string, error) { return fresh, nil })
}

// endOf returns the expiry time of a short-lived token. An opaque token does not say it, so it
// expires after the longest time.
func endOf(token string, clock *attack.Clock) time.Time {
	if expiry, known := expiryOf(token); known {
		return expiry
	}
	return clock.Now().Add(longestLife - cacheGrace)
}

// expiryLeeway finds how long ago a new token may have expired. It is negative if the server wants
// a token to last for some time.
func expiryLeeway(ctx context.Context, clock *attack.Clock) (time.Duration, error) {
	accepted, err := clock.AcceptsExpired(ctx, time.Hour)
	if err != nil {
		return 0, err
	}
	if accepted {
		return 0, &check.Skipped{
			Of:     "server/token/expiry-form",
			Reason: "the server accepts a token that expired an hour ago",
		}
	}
	return attack.Leeway(ctx, -2*time.Minute, time.Hour, clock.AcceptsExpired)
}

// A tokenUse is a way to use a token. Each has its own token, and its own probe with the same
// revision at which the token was used.
type tokenUse struct {
	name  string
	token string
	probe *bench.Probe
	times int // how often it is used
	// request returns the request with a token.
	request func(token string) bench.Request
}

// isServed reports whether the server serves a token in this way.
func (u *tokenUse) isServed(ctx context.Context, token string) (bool, error) {
	answer, err := u.probe.Send(ctx, u.request(token))
	if err != nil {
		return false, err
	}
	isStream := answer.Status == http.StatusOK && u.request("").Method == http.MethodGet
	return isStream || answer.Succeeded(), nil
}

// cacheUses is how often a token is used, so that a cache that counts keeps it. Less common ways to
// use it are tried otherUses times, because the time is short.
const (
	cacheUses = 8
	otherUses = 3
)

// useTokens uses tokens that expire soon, and returns the uses that the server serves. It returns
// none if the server already refuses a token in the first way.
func useTokens(
	ctx context.Context, p *bench.Probe, trial *bench.Trial, next func(context.Context) (string, error),
) ([]*tokenUse, error) {
	ways := waysToUse(p, trial)
	session, err := sessionUses(ctx, p, next)
	if err != nil {
		return nil, err
	}
	var served []*tokenUse
	for i, use := range append(ways, session...) {
		if use.token == "" {
			use.token, err = next(ctx)
			if err != nil {
				return nil, err
			}
		}
		isServed := false
		for range use.times {
			isServed, err = use.isServed(ctx, use.token)
			if err != nil {
				return nil, err
			}
			if !isServed {
				break
			}
		}
		switch {
		case isServed:
			served = append(served, use)
		case i == 0:
			return nil, nil
		}
	}
	return served, nil
}

// waysToUse returns ways to use a token that need no session of its own.
func waysToUse(p *bench.Probe, trial *bench.Trial) []*tokenUse {
	first := func(token string) bench.Request { return bench.Request{Header: bench.Bearer(token)} }
	ways := []*tokenUse{
		{name: "the first message", probe: p, times: cacheUses, request: first},
		{
			name:    "a call in another session of the user",
			probe:   p,
			times:   cacheUses,
			request: func(token string) bench.Request { return attack.WithToken(token, trial.Request()) },
		},
	}
	for _, revision := range check.Revisions() {
		if revision != p.Revision {
			ways = append(ways, &tokenUse{
				name:    "the first message of MCP " + string(revision),
				probe:   p.WithRevision(revision),
				times:   otherUses,
				request: first,
			})
		}
	}
	return ways
}

// sessionUses opens a session with a token, and returns ways to use the token there. The server may
// keep the verified token with the session.
func sessionUses(
	ctx context.Context, p *bench.Probe, next func(context.Context) (string, error),
) ([]*tokenUse, error) {
	token, err := next(ctx)
	if err != nil {
		return nil, err
	}
	session, err := p.Open(ctx, token)
	if err != nil || session.ID == "" {
		return nil, nil // the token has expired already, or the server has no sessions
	}
	list := func(token string) bench.Request { return attack.WithToken(token, session.Message("tools/list", nil)) }
	stream := func(token string) bench.Request { return attack.StreamRequest(session, token) }
	return []*tokenUse{
		{name: "a list of tools in its session", token: token, probe: p, times: otherUses, request: list},
		{name: "the stream of its session", token: token, probe: p, times: otherUses, request: stream},
	}, nil
}

// wantForgotten wants tokens refused that were used and have expired. In each way, a use counts
// only if an unused token is refused there, which does not expire earlier.
func wantForgotten(ctx context.Context, uses []*tokenUse, unused func(context.Context) (string, error)) error {
	return inputs.TryAll(uses, func(use *tokenUse) error {
		isServed, err := use.isServed(ctx, use.token)
		if err != nil || !isServed {
			return err
		}
		found := use.probe.Insecure(
			"no result with a used token that has expired: "+use.name,
			"the result, and an unused token that does not expire earlier is refused",
		)
		fresh, err := unused(ctx)
		if err != nil {
			return err
		}
		isServed, err = use.isServed(ctx, fresh)
		if err != nil || isServed {
			return err
		}
		return found
	})
}

// awaitExpiry waits until the server refuses a new token with the expiry time, and for cacheGrace.
func awaitExpiry(ctx context.Context, clock *attack.Clock, expiry time.Time) error {
	for range 60 {
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return err
		}
		fresh, err := clock.Expiring(ctx, expiry)
		if err != nil {
			return err
		}
		accepted, err := clock.Accepts(ctx, fresh)
		if err != nil {
			return err
		}
		if !accepted {
			return pause(ctx, cacheGrace)
		}
	}
	return &check.Skipped{Reason: "the server goes on to accept new tokens that should have expired"}
}

// pause waits.
func pause(ctx context.Context, duration time.Duration) error {
	select {
	case <-time.After(duration):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
