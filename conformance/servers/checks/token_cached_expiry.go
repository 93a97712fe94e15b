package checks

import (
	"context"
	"fmt"
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
			Needs:  []bench.Need{bench.IssuerKey},
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
		uses, err := useTokens(ctx, p, trial, clock, expiry)
		if err != nil {
			return err
		}
		if len(uses) > 0 {
			return wantForgotten(ctx, clock, expiry, uses)
		}
	}
	return &check.Skipped{Reason: "the server is too slow to use a token twice before it expires"}
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

// useTokens uses new tokens with an expiry time, and returns the uses that the server serves. It
// returns none if the server already refuses a token in the first way.
func useTokens(
	ctx context.Context, p *bench.Probe, trial *bench.Trial, clock *attack.Clock, expiry time.Time,
) ([]*tokenUse, error) {
	ways := waysToUse(p, trial)
	session, err := sessionUses(ctx, p, clock, expiry)
	if err != nil {
		return nil, err
	}
	var served []*tokenUse
	for i, use := range append(ways, session...) {
		if use.token == "" {
			use.token, err = clock.Expiring(ctx, expiry)
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
	ctx context.Context, p *bench.Probe, clock *attack.Clock, expiry time.Time,
) ([]*tokenUse, error) {
	token, err := clock.Expiring(ctx, expiry)
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

// wantForgotten waits until the server refuses new tokens with the expiry time. Then it wants the
// used tokens refused too. In each way, a use counts only if a new token is refused there.
func wantForgotten(ctx context.Context, clock *attack.Clock, expiry time.Time, uses []*tokenUse) error {
	if err := awaitExpiry(ctx, clock, expiry); err != nil {
		return err
	}
	return inputs.TryAll(uses, func(use *tokenUse) error {
		isServed, err := use.isServed(ctx, use.token)
		if err != nil || !isServed {
			return err
		}
		found := use.probe.Insecure(
			"no result with a used token that has expired: "+use.name,
			fmt.Sprintf("the result, and new tokens with the same expiry time (%v) are refused", expiry.UTC()),
		)
		fresh, err := clock.Expiring(ctx, expiry)
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
