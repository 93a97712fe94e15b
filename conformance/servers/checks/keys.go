package checks

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// keysChecks returns the checks of server/keys about key rollover: how a server follows the keys
// that its issuer publishes (RFC 7517, OpenID Connect Core section 10.1.1).
func keysChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/keys/rotation",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "OpenID Connect Core section 10.1.1",
				Sentence: "The server finds a new signing key without a restart, and still accepts it after " +
					"the old key is gone.",
				Covers: []string{"RS-063", "server-jwks-rotation"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    attack.WithFixture(keysRotation),
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/withdrawn",
				Level:     check.Policy,
				Severity:  check.Critical,
				Reference: "Microsoft identity platform, Signing key rollover",
				Sentence: "A withdrawn key is accepted for at most a day, and so are all keys once the " +
					"issuer is unreachable.",
				Covers: []string{"RS-064"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    attack.WithFixture(keysWithdrawn),
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/slot",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "Microsoft identity platform, Signing key rollover",
				Sentence: "Tokens with unknown keys just before a rollover delay it by minutes, and not " +
					"forever.",
				Covers: []string{"RS-062"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    attack.WithFixture(keysSlot),
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/clock",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "Microsoft identity platform, Signing key rollover",
				Sentence:  "A clock that is set ahead or back costs at most one fetch.",
				Covers:    []string{"RS-069"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    attack.WithFixture(keysClock),
		},
	}
}

// keysRotation publishes a new key beside the old ones, and then alone.
func keysRotation(ctx context.Context, f *attack.Fixture) error {
	fresh := f.NewKey("fresh")
	f.Publish(fresh)
	if err := f.WantServed(ctx, "a key that was published after the server started", "fresh"); err != nil {
		return err
	}
	f.PublishOnly(fresh)
	return f.WantServed(ctx, "the same key, when the older ones are gone", "fresh")
}

// keysWithdrawn withdraws a key for a day, and then makes the issuer fail for another day.
func keysWithdrawn(ctx context.Context, f *attack.Fixture) error {
	if f.Advance == nil {
		return &check.NotApplicable{Reason: "the fixture cannot advance its clock by a day"}
	}
	f.Publish(f.NewKey("withdrawn"))
	if err := f.WantServed(ctx, "a key, while it is published", "withdrawn"); err != nil {
		return err
	}
	f.Publish()
	f.Wait(ctx, 24*time.Hour)
	if err := f.WantGoodServed(ctx, "the issuer's own key, a day later"); err != nil {
		return err
	}
	if err := f.WantRefused(ctx, "a key that was withdrawn a day ago", "withdrawn", attack.UnknownKey...); err != nil {
		return err
	}
	f.ServeKeySet(http.HandlerFunc(failing))
	f.Wait(ctx, 25*time.Hour)
	token, err := f.Probe.Token(ctx, bench.Good)
	if err != nil {
		return err
	}
	request := attack.WithToken(token, f.Trial.Request())
	name := "the issuer's own key, a day after the issuer last answered"
	_, err = f.Trial.WantRefused(ctx, name, request, attack.UnknownKey...)
	return err
}

// failing answers with status 500.
func failing(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }

// keysSlot sends unknown keys just before a new key is published. A server that limits its fetches
// has none left then.
func keysSlot(ctx context.Context, f *attack.Fixture) error {
	if f.Advance == nil {
		return &check.NotApplicable{Reason: "the fixture cannot advance its clock by minutes"}
	}
	key := attack.NewKeyFor(f.Algorithm)
	for _, id := range []string{"junk 1", "junk 2"} {
		f.Keys[id] = key
		if err := f.WantRefused(ctx, "an unknown key", id, attack.UnknownKey...); err != nil {
			return err
		}
	}
	f.Publish(f.AddKey("fresh", key))
	f.Advance(10 * time.Minute)
	return f.WantServed(ctx, "a new key, ten minutes after unknown ones", "fresh")
}

// keysClock sets the clock ahead and back, and tries a good token each time.
func keysClock(ctx context.Context, f *attack.Fixture) error {
	if f.Advance == nil {
		return &check.NotApplicable{Reason: "the fixture has no clock"}
	}
	for _, jump := range []time.Duration{10 * time.Minute, -20 * time.Minute, -time.Hour, 24 * time.Hour} {
		f.Wait(ctx, jump)
		if err := f.WantGoodServed(ctx, fmt.Sprintf("a new token after the clock jumped by %v", jump)); err != nil {
			return err
		}
	}
	return nil
}
