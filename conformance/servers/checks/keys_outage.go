package checks

import (
	"context"
	"crypto"
	"fmt"
	"net/http"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// keysOutageChecks returns the checks of server/keys about a key set that is unavailable or
// elsewhere.
func keysOutageChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/keys/outage",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 8725 section 3.2; Microsoft identity platform, Signing key rollover",
				Sentence: "While the issuer's keys are unavailable, the server accepts no others than it has, and " +
					"keeps using these (policy).",
				Covers: []string{"RS-066"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    keysOutage,
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/late",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "Microsoft identity platform, Signing key rollover",
				Sentence: "A server that starts while its issuer is unreachable refuses all tokens, and " +
					"recovers by itself when the issuer is back.",
				Covers: []string{"RS-068"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    keysLate,
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/redirect",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "RFC 9700 section 4.11",
				Sentence:  "The server takes no keys from the target of a redirect.",
				Covers:    []string{"RS-066"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    attack.WithFixture(keysRedirect),
		},
	}
}

// keysOutage starts a fixture for each outage, because a server may not fetch again for a while
// after the first.
func keysOutage(ctx context.Context, p *bench.Probe) error {
	var unknown crypto.Signer
	for _, outage := range attack.Outages() {
		run := attack.WithFixture(func(ctx context.Context, f *attack.Fixture) error {
			if unknown == nil {
				unknown = attack.NewKeyFor(f.Algorithm)
			}
			f.Keys["unknown"] = unknown
			f.ServeKeySet(outage.Serve)
			name := "an unknown key while the issuer answers: " + outage.Name
			if err := f.WantRefused(ctx, name, "unknown", attack.UnknownKey...); err != nil {
				return err
			}
			return f.WantGoodServed(ctx, "a known key after the issuer answered: "+outage.Name)
		})
		if err := run(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// keysLate makes the issuer fail until the server has answered its first request.
func keysLate(ctx context.Context, p *bench.Probe) error {
	f, err := attack.NewFixture(ctx, p)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Advance == nil {
		return &check.NotApplicable{Reason: "the fixture cannot advance its clock by a minute"}
	}
	f.ServeKeySet(http.HandlerFunc(failing))
	token, err := f.Probe.Token(ctx, bench.Good)
	if err != nil {
		return err
	}
	answer, err := f.Probe.Send(ctx, bench.Request{Header: bench.Bearer(token)})
	if err != nil {
		return err
	}
	if err := wantUnavailable(f.Probe, answer); err != nil {
		return err
	}
	f.ServeKeySet(nil)
	f.Advance(time.Minute)
	answer, err = f.Probe.Send(ctx, bench.Request{Header: bench.Bearer(token)})
	if err == nil && !answer.Succeeded() {
		return f.Probe.Mismatch("a result a minute after the issuer is back", fmt.Sprintf("status %d", answer.Status))
	}
	return err
}

// wantUnavailable wants the answer of a server without any key. A 401 would make clients discard
// good tokens.
func wantUnavailable(p *bench.Probe, answer *bench.Answer) error {
	switch {
	case answer.Status/100 == 2:
		return p.Insecure("status 503 without any key", fmt.Sprintf("status %d", answer.Status))
	case answer.Status != http.StatusServiceUnavailable:
		return p.Mismatch(
			"status 503 without any key, so that no client discards a good token",
			fmt.Sprintf("status %d", answer.Status),
		)
	}
	return nil
}

// keysRedirect makes the issuer redirect to a trap that has an unknown key.
func keysRedirect(ctx context.Context, f *attack.Fixture) error {
	trap, err := attack.NewTrap(attack.JSON(map[string]any{"keys": []any{f.NewKey("strange")}}))
	if err != nil {
		return err
	}
	defer trap.Close()
	f.ServeKeySet(http.RedirectHandler(trap.URL+"/keys", http.StatusFound))
	name := "a key from the target of a redirect"
	if err := f.WantRefused(ctx, name, "strange", attack.UnknownKey...); err != nil {
		return err
	}
	if hits := trap.Hits.Load(); hits > 0 {
		return f.Probe.MismatchAt(
			check.Policy,
			"no request to the target of the redirect",
			fmt.Sprintf("%d requests", hits),
		)
	}
	return f.WantGoodServed(ctx, "a known key after the redirect")
}
