package attack

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"sort"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// A Clock makes tokens whose times are relative to the server's clock.
type Clock struct {
	probe *bench.Probe
	ahead time.Duration // of the server's clock
}

// clockDoubt is how far two clocks may differ before the check follows the server's. The header
// Date has whole seconds.
const clockDoubt = 3 * time.Second

// NewClock reads the server's clock from the header Date of an answer.
func NewClock(p *bench.Probe, answer *bench.Answer) *Clock {
	clock := &Clock{probe: p}
	date, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return clock
	}
	if ahead := time.Until(date); ahead.Abs() > clockDoubt {
		clock.ahead = ahead
	}
	return clock
}

// Now returns the time of the server's clock.
func (c *Clock) Now() time.Time { return time.Now().Add(c.ahead) }

// lifetime is the time between the start of a token and its expiry. It is short, because some
// servers bound the age of a token too.
const lifetime = 5 * time.Minute

// Expiring makes a token that no server has seen, with an expiry time.
func (c *Clock) Expiring(ctx context.Context, expiry time.Time) (string, error) {
	return c.probe.Mint(ctx, bench.Edits{Claims: func(claims map[string]any) {
		claims["jti"] = rand.Text()
		claims["exp"] = expiry.Unix()
		for _, start := range []string{"iat", "nbf"} {
			if _, there := claims[start]; there {
				claims[start] = expiry.Add(-lifetime).Unix()
			}
		}
	}})
}

// Starting makes a token that no server has seen, with a start time (nbf).
func (c *Clock) Starting(ctx context.Context, start time.Time) (string, error) {
	return c.probe.Mint(ctx, bench.Edits{Claims: Members(map[string]any{
		"jti": rand.Text(),
		"nbf": start.Unix(),
		"exp": start.Add(time.Hour).Unix(),
	})})
}

// Accepts reports whether the server serves the first message with a token.
func (c *Clock) Accepts(ctx context.Context, token string) (bool, error) {
	answer, err := c.probe.Send(ctx, bench.Request{Header: bench.Bearer(token)})
	switch {
	case err != nil:
		return false, err
	case answer.Succeeded():
		return true, nil
	case answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden:
		return false, nil
	}
	return false, &check.CannotJudge{
		Reason: fmt.Sprintf("a token with other times is answered %d, and not served or refused", answer.Status),
	}
}

// AcceptsExpired reports whether the server serves a new token that expired some time ago.
func (c *Clock) AcceptsExpired(ctx context.Context, ago time.Duration) (bool, error) {
	token, err := c.Expiring(ctx, c.Now().Add(-ago))
	if err != nil {
		return false, err
	}
	return c.Accepts(ctx, token)
}

// AcceptsEarly reports whether the server serves a new token that starts after some time.
func (c *Clock) AcceptsEarly(ctx context.Context, early time.Duration) (bool, error) {
	token, err := c.Starting(ctx, c.Now().Add(early))
	if err != nil {
		return false, err
	}
	return c.Accepts(ctx, token)
}

// Leeway returns the greatest whole number of seconds that the server accepts. It must accept
// least, and refuse most.
func Leeway(
	ctx context.Context,
	least, most time.Duration,
	accepts func(context.Context, time.Duration) (bool, error),
) (time.Duration, error) {
	var failed error
	seconds := int((most - least) / time.Second)
	found := sort.Search(seconds, func(i int) bool {
		if failed != nil {
			return true
		}
		accepted, err := accepts(ctx, least+time.Duration(i+1)*time.Second)
		failed = err
		return !accepted
	})
	return least + time.Duration(found)*time.Second, failed
}

// ClockTrial shows that minted tokens without a flaw are served, and reads the server's clock.
func ClockTrial(ctx context.Context, p *bench.Probe, trial *bench.Trial) (*Clock, error) {
	if err := ControlMint(ctx, p, trial); err != nil {
		return nil, err
	}
	answer, err := p.Send(ctx, bench.Request{})
	if err != nil {
		return nil, err
	}
	clock := NewClock(p, answer)
	served, err := clock.AcceptsExpired(ctx, -2*time.Minute)
	if err == nil && !served {
		return nil, &check.CannotJudge{
			Reason: "the control failed: a minted token that expires in two minutes is refused",
		}
	}
	return clock, err
}
