package checks

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// keysChecks are checks of server/keys: how a server follows the keys that its issuer publishes
// (RFC 7517, OpenID Connect Core section 10.1.1).
func keysChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/keys/rotation",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "OpenID Connect Core section 10.1.1",
				Sentence: "A key that the issuer begins to sign with is found without a restart, and stays good when " +
					"the older one goes.",
				Covers: []string{"RS-063", "server-jwks-rotation"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    attack.WithFixture(rotation),
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/withdrawn",
				Level:     check.Policy,
				Severity:  check.Critical,
				Reference: "Microsoft identity platform, Signing key rollover",
				Sentence: "A key that the issuer withdraws is good for no more than a day, and so are all of them " +
					"when the issuer cannot be asked any more.",
				Covers: []string{"RS-064"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    attack.WithFixture(withdrawal),
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/unusable",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7517 sections 4 and 5",
				Sentence: "A key that a server cannot use, or does not know the kind of, is passed over and " +
					"spoils no other.",
				Covers: []string{"RS-038"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run: attack.WithFixture(func(ctx context.Context, r *attack.Fixture) error {
				r.Publish(append(unusableKeys(), r.Fresh("fresh"))...)
				return r.Accepted(ctx, "a good key among those of no use", "fresh")
			}),
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/wrong-use",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7517 sections 4.2 to 4.4; RFC 7518 section 3.3",
				Sentence: "A key that is for something else than signatures, for another algorithm, or too short " +
					"verifies nothing.",
				Covers: []string{"RS-028", "RS-038"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    wrongUse,
		},
		{
			Rule: check.Rule{
				ID:         "server/keys/flood",
				Level:      check.Must,
				Severity:   check.High,
				Disruptive: true,
				Reference:  "Microsoft identity platform, Signing key rollover; RFC 8725 section 3.10",
				Sentence: "Tokens with unknown keys do not make a server ask its issuer once for each, and good " +
					"tokens do not notice.",
				Covers: []string{"RS-060"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    attack.WithFixture(flood),
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/herd",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "Microsoft identity platform, Signing key rollover",
				Sentence:  "Many who come at once with a new key wait for one fetch, and are all served.",
				Covers:    []string{"RS-061"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    attack.WithFixture(herd),
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/outage",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 8725 section 3.2; Microsoft identity platform, Signing key rollover",
				Sentence: "While the issuer's keys cannot be had, a server goes on with those it has, and takes " +
					"no others.",
				Covers: []string{"RS-066"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    outage,
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/issuer",
				Level:     check.Policy,
				Severity:  check.Critical,
				Reference: "Microsoft identity platform, Access tokens, Validate the issuer",
				Sentence:  "A key that its issuer publishes for another one (issuer in the JWK) verifies nothing.",
				Covers:    []string{"RS-042"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run: attack.WithFixture(func(ctx context.Context, r *attack.Fixture) error {
				if !strings.Contains(attack.Quoted(r.Issuers), `"issuer"`) {
					return &check.NotApplicable{Reason: "the issuer's keys do not say whose they are"}
				}
				key := attack.StrangersFor(r.Algorithm)
				r.Publish(r.Use(
					"another's",
					key,
					attack.Member(
						"issuer",
						"https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
					),
				))
				return r.Refuses(ctx, "a key of another issuer", "another's", attack.Undecided...)
			}),
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/shared-id",
				Level:     check.Policy,
				Severity:  check.Critical,
				Reference: "Microsoft identity platform, Access tokens, Validate the issuer; RFC 7517 section 4.5",
				Sentence: "Of two keys with one ID that two issuers have, each verifies its own issuer's tokens only," +
					" whichever comes first.",
				Covers: []string{"RS-065"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    keysSharedId,
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/slot",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "Microsoft identity platform, Signing key rollover",
				Sentence: "Somebody who comes with unknown keys just before a rollover delays it for minutes, and " +
					"not for good.",
				Covers: []string{"RS-062"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    attack.WithFixture(burntSlot),
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/clock",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "Microsoft identity platform, Signing key rollover",
				Sentence:  "A clock that is set ahead or back costs no more than a fetch.",
				Covers:    []string{"RS-069"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    attack.WithFixture(jumpingClock),
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/redirect",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 section 3.10; RFC 9700 section 4.11",
				Sentence:  "A redirect does not lead a server to other keys.",
				Covers:    []string{"RS-066"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    attack.WithFixture(redirect),
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/late",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "Microsoft identity platform, Signing key rollover",
				Sentence: "A server whose issuer is away when it starts serves nobody, and is well again by itself " +
					"when the issuer is back.",
				Covers: []string{"RS-068"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    late,
		},
	}
}

// keysSharedId tries server/keys/shared-id.
func keysSharedId(ctx context.Context, p *bench.Probe) error {
	for _, first := range []string{"another issuer's", "the issuer's"} {
		run := attack.WithFixture(func(ctx context.Context, r *attack.Fixture) error { return r.SharedID(ctx, first) })
		if err := run(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func rotation(ctx context.Context, r *attack.Fixture) error {
	fresh := r.Fresh("fresh")
	r.Publish(fresh)
	if err := r.Accepted(ctx, "a key that was published after the server started", "fresh"); err != nil {
		return err
	}
	r.ServeKeys([]json.RawMessage{fresh})
	return r.Accepted(ctx, "the same key, when the older ones are gone", "fresh")
}

func withdrawal(ctx context.Context, r *attack.Fixture) error {
	if r.Advance == nil {
		return &check.NotApplicable{Reason: "the rig cannot let a day pass"}
	}
	r.Publish(r.Fresh("withdrawn"))
	if err := r.Accepted(ctx, "a key, while it is published", "withdrawn"); err != nil {
		return err
	}
	r.Publish()
	r.Later(ctx, 24*time.Hour)
	if err := r.StillGood(ctx, "the issuer's own key, a day later"); err != nil {
		return err
	}
	if err := r.Refuses(ctx, "a key that was withdrawn a day ago", "withdrawn", attack.Undecided...); err != nil {
		return err
	}
	r.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
	}))
	r.Later(ctx, 25*time.Hour)
	token, err := r.Probe.Token(ctx, bench.Good)
	if err != nil {
		return err
	}
	request := r.Trial.Request()
	request.Header.Set("Authorization", "Bearer "+token)
	_, err = r.Trial.Denied(
		ctx,
		"the issuer's own key, a day after it could be asked last",
		request,
		attack.Undecided...,
	)
	return err
}

func burntSlot(ctx context.Context, r *attack.Fixture) error {
	if r.Advance == nil {
		return &check.NotApplicable{Reason: "the rig cannot let minutes pass"}
	}
	key := attack.StrangersFor(r.Algorithm)
	for _, id := range []string{"junk 1", "junk 2"} {
		r.Made[id] = key
		if err := r.Refuses(ctx, "an unknown key", id, attack.Undecided...); err != nil {
			return err
		}
	}
	r.Publish(r.Use("fresh", key))
	r.Advance(10 * time.Minute)
	return r.Accepted(ctx, "a new key, ten minutes after unknown ones", "fresh")
}

func jumpingClock(ctx context.Context, r *attack.Fixture) error {
	if r.Advance == nil {
		return &check.NotApplicable{Reason: "the rig has no clock"}
	}
	for _, jump := range []time.Duration{10 * time.Minute, -20 * time.Minute, -time.Hour, 24 * time.Hour} {
		r.Later(ctx, jump)
		if err := r.StillGood(ctx, fmt.Sprintf("a token of now after a jump of %v", jump)); err != nil {
			return err
		}
	}
	return nil
}

// unusableKeys are what has stood in key sets: kinds that are not for signatures, that are new, and
// that are broken.
func unusableKeys() []json.RawMessage {
	var all []json.RawMessage
	for _, text := range []string{
		`{"kty":"OKP","crv":"X25519","x":"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo","kid":"exchange","use":"enc"}`,
		`{"kty":"OKP","crv":"Ed448",` +
			`"x":"X9dEm1m0Yf0s54fsYWrUah2hNCSFpw4fig6nXYDpZ3jt8SR2m0bHBhvWeD3x5Q9s0foavq_oJWGA","kid":"edwards"}`,
		`{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA","kid":"quantum"}`,
		`{"kty":"XYZ","kid":"a kind nobody knows"}`,
		`{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0","kid":"shared"}`,
		`{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA","kid":"a curve nobody knows"}`,
		`{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE",` +
			`"y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","kid":"off the curve"}`,
		`{"kty":"RSA","n":"!!!","e":"AQAB","kid":"no base64"}`,
		`{"kty":"RSA","kid":"no members"}`,
		`{"kty":"RSA","n":"AQ","e":"AQ","kid":"tiny","x5c":["AAAA"]}`,
		`{"kid":"no kind"}`,
		`{}`,
	} {
		all = append(all, json.RawMessage(text))
	}
	return all
}

// wrongUse has a fixture for each key: a server that has asked for one unknown key may not ask for
// the next one at once.
func wrongUse(ctx context.Context, p *bench.Probe) error {
	var one, other crypto.Signer // made once, since RSA keys take a while
	short, _ := rsa.GenerateKey(rand.Reader, 1024)
	for name, publish := range map[string]func(r *attack.Fixture) json.RawMessage{
		"a key for encryption": func(r *attack.Fixture) json.RawMessage {
			return r.Use("bad", one, attack.Member("use", "enc"))
		},
		"a key that verifies nothing": func(r *attack.Fixture) json.RawMessage {
			return r.Use(
				"bad",
				one,
				attack.Member("use", attack.Nothing),
				attack.Member("key_ops", []string{"encrypt"}),
			)
		},
		"a key of another algorithm": func(r *attack.Fixture) json.RawMessage {
			return r.Use("bad", one, attack.Member("alg", r.Algorithm[:2]+"999"))
		},
		"another key of that name": func(r *attack.Fixture) json.RawMessage {
			r.Made["bad"] = one
			return attack.Published(other.Public(), "bad", r.Algorithm)
		},
		"a key with 1024 bits": func(r *attack.Fixture) json.RawMessage {
			if short == nil { // where such keys are not made any more
				return r.Use("bad", one, attack.Member("use", "enc"))
			}
			r.Made["bad"] = short
			return attack.Published(short.Public(), "bad", "RS256")
		},
	} {
		run := attack.WithFixture(func(ctx context.Context, r *attack.Fixture) error {
			if one == nil {
				one = attack.StrangersFor(r.Algorithm)
				other = attack.StrangersFor(r.Algorithm)
			}
			r.Publish(publish(r))
			return r.Refuses(ctx, name, "bad", attack.Undecided...)
		})
		if err := run(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// strangers are how many tokens of a flood have a key of their own, and herdSize how many come at
// once.
const (
	strangers = 200
	herdSize  = 24                     // servers may bound what one caller does at once
	farAway   = 200 * time.Millisecond // and how long the issuer takes, so that they meet
)

func flood(ctx context.Context, r *attack.Fixture) error {
	key := attack.StrangersFor(r.Algorithm)
	before := r.Fetches()
	for i := range strangers {
		r.Made["unknown"+fmt.Sprint(i)] = key
		if err := r.Refuses(ctx, "an unknown key", "unknown"+fmt.Sprint(i), attack.Undecided...); err != nil {
			return err
		}
	}
	if fetches := r.Fetches() - before; fetches > strangers/10 {
		return r.Probe.Mismatch(
			"few fetches of the key set",
			fmt.Sprintf("%d fetches for %d tokens", fetches, strangers),
		)
	} else if fetches > 2 {
		return r.Probe.MismatchAt(
			check.Policy,
			"two fetches of the key set",
			fmt.Sprintf("%d fetches for %d tokens", fetches, strangers),
		)
	}
	return r.StillGood(ctx, "a good token after the flood")
}

func herd(ctx context.Context, r *attack.Fixture) error {
	document := attack.Quoted(map[string]any{"keys": append([]json.RawMessage{r.Fresh("fresh")}, r.Issuers...)})
	r.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-time.After(farAway)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(document))
	}))
	token, err := r.Signed(ctx, "fresh")
	if err != nil {
		return err
	}
	before := r.Fetches()
	var wait sync.WaitGroup
	statuses := make([]int, herdSize)
	failures := make([]error, herdSize)
	requests := make([]bench.Request, herdSize)
	for i := range requests {
		requests[i] = r.Trial.Request()
		requests[i].Header.Set("Authorization", "Bearer "+token)
	}
	for i := range requests {
		wait.Go(func() {
			answer, err := r.Probe.Clone().Send(ctx, requests[i])
			if err != nil {
				failures[i] = err
				return
			}
			statuses[i] = answer.Status
		})
	}
	wait.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	if i := slices.IndexFunc(statuses, func(status int) bool { return status != http.StatusOK }); i >= 0 {
		return r.Probe.Mismatch(
			fmt.Sprintf("a result for each of %d", herdSize),
			fmt.Sprintf("status %d for one", statuses[i]),
		)
	}
	if fetches := r.Fetches() - before; fetches > 1 {
		return r.Probe.Mismatch(
			"one fetch of the key set",
			fmt.Sprintf("%d fetches for %d who came at once", fetches, herdSize),
		)
	}
	return nil
}

// outOfOrder are the ways in which a document of the issuer's cannot be had.
func outOfOrder() map[string]http.HandlerFunc {
	says := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	return map[string]http.HandlerFunc{
		"500":             says(500, "text/plain", "broken"),
		"404":             says(404, "text/plain", "gone"),
		"a page":          says(200, "text/html", "<html><body>Sign in</body></html>"),
		"an empty object": says(200, "application/json", "{}"),
		"no keys":         says(200, "application/json", `{"keys":[]}`),
		"null":            says(200, "application/json", "null"),
		"cut in the middle": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"keys":[{`))
		},
		"far too long": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":["`))
			for range 512 {
				if _, err := w.Write([]byte(strings.Repeat("x", 64<<10))); err != nil {
					return
				}
			}
		},
	}
}

// outage has a fixture for each way to be out of order: what a server makes of the first it may not
// ask about for a while.
func outage(ctx context.Context, p *bench.Probe) error {
	var unknown crypto.Signer
	for name, handle := range outOfOrder() {
		run := attack.WithFixture(func(ctx context.Context, r *attack.Fixture) error {
			if unknown == nil {
				unknown = attack.StrangersFor(r.Algorithm)
			}
			r.Made["unknown"] = unknown
			r.Serve(handle)
			if err := r.Refuses(
				ctx,
				"an unknown key while the issuer answers: "+name,
				"unknown",
				attack.Undecided...,
			); err != nil {
				return err
			}
			return r.StillGood(ctx, "a known key after the issuer answered: "+name)
		})
		if err := run(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func redirect(ctx context.Context, r *attack.Fixture) error {
	trap, err := attack.NewTrap(attack.Quoted(map[string]any{"keys": []any{r.Fresh("strange")}}))
	if err != nil {
		return err
	}
	defer trap.Close()
	r.Serve(http.RedirectHandler(trap.URL+"/keys", http.StatusFound))
	if err := r.Refuses(ctx, "a key from where a redirect leads", "strange", attack.Undecided...); err != nil {
		return err
	}
	if hits := trap.Hits.Load(); hits > 0 {
		return r.Probe.MismatchAt(
			check.Policy,
			"no request to where the redirect leads",
			fmt.Sprintf("%d requests", hits),
		)
	}
	return r.StillGood(ctx, "a known key after the redirect")
}

func late(ctx context.Context, p *bench.Probe) error {
	r, err := attack.NewFixture(ctx, p)
	if err != nil {
		return err
	}
	defer r.Close()
	if r.Advance == nil {
		return &check.NotApplicable{Reason: "the rig cannot let a minute pass"}
	}
	r.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
	}))
	token, err := r.Probe.Token(ctx, bench.Good)
	if err != nil {
		return err
	}
	answer, err := r.Probe.Send(ctx, bench.Request{Header: bench.Bearer(token)})
	switch {
	case err != nil:
		return err
	case answer.Status/100 == 2:
		return r.Probe.Insecure("status 503 without any key", fmt.Sprintf("status %d", answer.Status))
	case answer.Status != http.StatusServiceUnavailable:
		return r.Probe.Mismatch(
			"status 503 without any key, so that nobody throws a good token away",
			fmt.Sprintf("status %d", answer.Status),
		)
	}
	r.Serve(nil)
	r.Advance(time.Minute)
	if answer, err = r.Probe.Send(ctx, bench.Request{Header: bench.Bearer(token)}); err == nil && !answer.Succeeded() {
		return r.Probe.Mismatch("a result a minute after the issuer is back", fmt.Sprintf("status %d", answer.Status))
	}
	return err
}
