package checks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// keysLoadChecks returns the checks of server/keys about how often a server fetches the key set.
func keysLoadChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:         "server/keys/flood",
				Level:      check.Policy,
				Severity:   check.High,
				Disruptive: true,
				Reference:  "Microsoft identity platform, Signing key rollover; OWASP API Security Top 10 2023, API4",
				Sentence: "The server does not fetch the keys for every token with an unknown key, and " +
					"keeps serving good tokens.",
				Covers: []string{"RS-060"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    attack.WithFixture(keysFlood),
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/herd",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "Microsoft identity platform, Signing key rollover",
				Sentence:  "Many simultaneous requests with a new key share one fetch, and all are served.",
				Covers:    []string{"RS-061"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    attack.WithFixture(keysHerd),
		},
	}
}

// keysFlood sends many tokens with unknown keys, and counts the fetches of the key set.
func keysFlood(ctx context.Context, f *attack.Fixture) error {
	key := attack.NewKeyFor(f.Algorithm)
	before := f.KeySetFetches()
	for i := range floodTokens {
		id := fmt.Sprintf("unknown%d", i)
		f.Keys[id] = key
		if err := f.WantRefused(ctx, "an unknown key", id, attack.UnknownKey...); err != nil {
			return err
		}
	}
	fetches := f.KeySetFetches() - before
	got := fmt.Sprintf("%d fetches for %d tokens", fetches, floodTokens)
	if fetches > 2 {
		return f.Probe.Mismatch("at most two fetches of the key set", got)
	}
	return f.WantGoodServed(ctx, "a good token after the flood")
}

const (
	floodTokens = 200                    // each with an unknown key
	herdSize    = 24                     // requests at once; servers may limit what one caller does
	slowIssuer  = 200 * time.Millisecond // the issuer's answer takes so long that the requests overlap
)

// keysHerd sends many requests with a new key at once.
func keysHerd(ctx context.Context, f *attack.Fixture) error {
	keys := append([]json.RawMessage{f.NewKey("fresh")}, f.IssuerKeys...)
	serve := attack.ServeJSON(attack.JSON(map[string]any{"keys": keys}))
	f.ServeKeySet(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-time.After(slowIssuer)
		serve(w, r)
	}))
	token, err := f.SignedBy(ctx, "fresh")
	if err != nil {
		return err
	}
	before := f.KeySetFetches()
	statuses := make([]int, herdSize)
	failures := make([]error, herdSize)
	requests := make([]bench.Request, herdSize)
	for i := range requests {
		requests[i] = attack.WithToken(token, f.Trial.Request())
	}
	var herd sync.WaitGroup
	for i := range requests {
		herd.Go(func() {
			answer, err := f.Probe.Clone().Send(ctx, requests[i])
			if err != nil {
				failures[i] = err
				return
			}
			statuses[i] = answer.Status
		})
	}
	herd.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	if i := slices.IndexFunc(statuses, func(status int) bool { return status != http.StatusOK }); i >= 0 {
		return f.Probe.Mismatch(
			fmt.Sprintf("a result for each of %d requests", herdSize),
			fmt.Sprintf("status %d for one", statuses[i]),
		)
	}
	if fetches := f.KeySetFetches() - before; fetches > 1 {
		return f.Probe.Mismatch(
			"one fetch of the key set",
			fmt.Sprintf("%d fetches for %d requests at once", fetches, herdSize),
		)
	}
	return nil
}
