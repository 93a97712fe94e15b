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

	"mcpentra/conformance/engine"
)

// undecided are the answers to a token whose key cannot be had now.
var undecided = []int{http.StatusServiceUnavailable, http.StatusUnauthorized}

// keys: how a server follows the keys that its issuer publishes (RFC 7517, OpenID Connect Core section 10.1.1).
func keys() []engine.Check {
	good := []engine.TokenKind{engine.Good}
	return []engine.Check{
		{
			ID: "server/keys/rotation", Role: engine.Server, Level: engine.Should, Severity: engine.High, Needs: good, NeedsRig: true, Covers: []string{"RS-063", "server-jwks-rotation"},
			Reference: "OpenID Connect Core section 10.1.1",
			Sentence:  "A key that the issuer begins to sign with is found without a restart, and stays good when the older one goes.",
			Run:       rigged(rotation),
		},
		{
			ID: "server/keys/withdrawn", Role: engine.Server, Level: engine.Policy, Severity: engine.Critical, Needs: good, NeedsRig: true, Covers: []string{"RS-064"},
			Reference: "Microsoft identity platform, Signing key rollover",
			Sentence:  "A key that the issuer withdraws is good for no more than a day, and so are all of them when the issuer cannot be asked any more.",
			Run:       rigged(withdrawal),
		},
		{
			ID: "server/keys/unusable", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, NeedsRig: true, Covers: []string{"RS-038"},
			Reference: "RFC 7517 sections 4 and 5",
			Sentence:  "A key that a server cannot use, or does not know the kind of, is passed over and spoils no other.",
			Run: rigged(func(ctx context.Context, r *rig) error {
				r.publish(append(unusableKeys(), r.fresh("fresh"))...)
				return r.accepted(ctx, "a good key among those of no use", "fresh")
			}),
		},
		{
			ID: "server/keys/wrong-use", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, NeedsRig: true, Covers: []string{"RS-028", "RS-038"},
			Reference: "RFC 7517 sections 4.2 to 4.4; RFC 7518 section 3.3",
			Sentence:  "A key that is for something else than signatures, for another algorithm, or too short verifies nothing.",
			Run:       wrongUse,
		},
		{
			ID: "server/keys/flood", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, NeedsRig: true, Disruptive: true, Covers: []string{"RS-060"},
			Reference: "Microsoft identity platform, Signing key rollover; RFC 8725 section 3.10",
			Sentence:  "Tokens with unknown keys do not make a server ask its issuer once for each, and good tokens do not notice.",
			Run:       rigged(flood),
		},
		{
			ID: "server/keys/herd", Role: engine.Server, Level: engine.Policy, Severity: engine.High, Needs: good, NeedsRig: true, Covers: []string{"RS-061"},
			Reference: "Microsoft identity platform, Signing key rollover",
			Sentence:  "Many who come at once with a new key wait for one fetch, and are all served.",
			Run:       rigged(herd),
		},
		{
			ID: "server/keys/outage", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, NeedsRig: true, Covers: []string{"RS-066"},
			Reference: "RFC 8725 section 3.2; Microsoft identity platform, Signing key rollover",
			Sentence:  "While the issuer's keys cannot be had, a server goes on with those it has, and takes no others.",
			Run:       outage,
		},
		{
			ID: "server/keys/issuer", Role: engine.Server, Level: engine.Policy, Severity: engine.Critical, Needs: good, NeedsRig: true, Covers: []string{"RS-042"},
			Reference: "Microsoft identity platform, Access tokens, Validate the issuer",
			Sentence:  "A key that its issuer publishes for another one (issuer in the JWK) verifies nothing.",
			Run: rigged(func(ctx context.Context, r *rig) error {
				if !strings.Contains(quoted(r.issuers), `"issuer"`) {
					return &engine.NotApplicable{Reason: "the issuer's keys do not say whose they are"}
				}
				key := strangersFor(r.algorithm)
				r.publish(r.use("another's", key, member("issuer", "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0")))
				return r.denied(ctx, "a key of another issuer", "another's", undecided...)
			}),
		},
		{
			ID: "server/keys/shared-id", Role: engine.Server, Level: engine.Policy, Severity: engine.Critical, Needs: good, NeedsRig: true, Covers: []string{"RS-065"},
			Reference: "Microsoft identity platform, Access tokens, Validate the issuer; RFC 7517 section 4.5",
			Sentence:  "Of two keys with one ID that two issuers have, each verifies its own issuer's tokens only, whichever comes first.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				for _, first := range []string{"another issuer's", "the issuer's"} {
					run := rigged(func(ctx context.Context, r *rig) error { return r.sharedID(ctx, first) })
					if err := run(ctx, p); err != nil {
						return err
					}
				}
				return nil
			},
		},
		{
			ID: "server/keys/slot", Role: engine.Server, Level: engine.Policy, Severity: engine.Medium, Needs: good, NeedsRig: true, Covers: []string{"RS-062"},
			Reference: "Microsoft identity platform, Signing key rollover",
			Sentence:  "Somebody who comes with unknown keys just before a rollover delays it for minutes, and not for good.",
			Run:       rigged(burntSlot),
		},
		{
			ID: "server/keys/clock", Role: engine.Server, Level: engine.Policy, Severity: engine.Medium, Needs: good, NeedsRig: true, Covers: []string{"RS-069"},
			Reference: "Microsoft identity platform, Signing key rollover",
			Sentence:  "A clock that is set ahead or back costs no more than a fetch.",
			Run:       rigged(jumpingClock),
		},
		{
			ID: "server/keys/redirect", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: good, NeedsRig: true, Covers: []string{"RS-066"},
			Reference: "RFC 8725 section 3.10; RFC 9700 section 4.11",
			Sentence:  "A redirect does not lead a server to other keys.",
			Run:       rigged(redirect),
		},
		{
			ID: "server/keys/late", Role: engine.Server, Level: engine.Policy, Severity: engine.High, Needs: good, NeedsRig: true, Covers: []string{"RS-068"},
			Reference: "Microsoft identity platform, Signing key rollover",
			Sentence:  "A server whose issuer is away when it starts serves nobody, and is well again by itself when the issuer is back.",
			Run:       late,
		},
	}
}

func rotation(ctx context.Context, r *rig) error {
	fresh := r.fresh("fresh")
	r.publish(fresh)
	if err := r.accepted(ctx, "a key that was published after the server started", "fresh"); err != nil {
		return err
	}
	r.serve([]json.RawMessage{fresh})
	return r.accepted(ctx, "the same key, when the older ones are gone", "fresh")
}

func withdrawal(ctx context.Context, r *rig) error {
	if r.Advance == nil {
		return &engine.NotApplicable{Reason: "the rig cannot let a day pass"}
	}
	r.publish(r.fresh("withdrawn"))
	if err := r.accepted(ctx, "a key, while it is published", "withdrawn"); err != nil {
		return err
	}
	r.publish()
	r.later(ctx, 24*time.Hour)
	if err := r.stillGood(ctx, "the issuer's own key, a day later"); err != nil {
		return err
	}
	if err := r.denied(ctx, "a key that was withdrawn a day ago", "withdrawn", undecided...); err != nil {
		return err
	}
	r.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	r.later(ctx, 25*time.Hour)
	token, err := r.probe.Token(ctx, engine.Good)
	if err != nil {
		return err
	}
	request := r.trial.Request()
	request.Header.Set("Authorization", "Bearer "+token)
	_, err = r.trial.Denied(ctx, "the issuer's own key, a day after it could be asked last", request, undecided...)
	return err
}

func burntSlot(ctx context.Context, r *rig) error {
	if r.Advance == nil {
		return &engine.NotApplicable{Reason: "the rig cannot let minutes pass"}
	}
	key := strangersFor(r.algorithm)
	for _, id := range []string{"junk 1", "junk 2"} {
		r.made[id] = key
		if err := r.denied(ctx, "an unknown key", id, undecided...); err != nil {
			return err
		}
	}
	r.publish(r.use("fresh", key))
	r.Advance(10 * time.Minute)
	return r.accepted(ctx, "a new key, ten minutes after unknown ones", "fresh")
}

func jumpingClock(ctx context.Context, r *rig) error {
	if r.Advance == nil {
		return &engine.NotApplicable{Reason: "the rig has no clock"}
	}
	for _, jump := range []time.Duration{10 * time.Minute, -20 * time.Minute, -time.Hour, 24 * time.Hour} {
		r.later(ctx, jump)
		if err := r.stillGood(ctx, fmt.Sprintf("a token of now after a jump of %v", jump)); err != nil {
			return err
		}
	}
	return nil
}

// unusableKeys are what has stood in key sets: kinds that are not for signatures, that are new, and that are broken.
func unusableKeys() []json.RawMessage {
	var all []json.RawMessage
	for _, text := range []string{
		`{"kty":"OKP","crv":"X25519","x":"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo","kid":"exchange","use":"enc"}`,
		`{"kty":"OKP","crv":"Ed448","x":"X9dEm1m0Yf0s54fsYWrUah2hNCSFpw4fig6nXYDpZ3jt8SR2m0bHBhvWeD3x5Q9s0foavq_oJWGA","kid":"edwards"}`,
		`{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA","kid":"quantum"}`,
		`{"kty":"XYZ","kid":"a kind nobody knows"}`,
		`{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0","kid":"shared"}`,
		`{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA","kid":"a curve nobody knows"}`,
		`{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","kid":"off the curve"}`,
		`{"kty":"RSA","n":"!!!","e":"AQAB","kid":"no base64"}`, `{"kty":"RSA","kid":"no members"}`, `{"kty":"RSA","n":"AQ","e":"AQ","kid":"tiny","x5c":["AAAA"]}`,
		`{"kid":"no kind"}`, `{}`,
	} {
		all = append(all, json.RawMessage(text))
	}
	return all
}

// wrongUse has a rig for each key: a server that has asked for one unknown key may not ask for the next one at once.
func wrongUse(ctx context.Context, p *engine.Probe) error {
	var one, other crypto.Signer // made once, since RSA keys take a while
	short, _ := rsa.GenerateKey(rand.Reader, 1024)
	for name, publish := range map[string]func(r *rig) json.RawMessage{
		"a key for encryption": func(r *rig) json.RawMessage { return r.use("bad", one, member("use", "enc")) },
		"a key that verifies nothing": func(r *rig) json.RawMessage {
			return r.use("bad", one, member("use", nothing), member("key_ops", []string{"encrypt"}))
		},
		"a key of another algorithm": func(r *rig) json.RawMessage { return r.use("bad", one, member("alg", r.algorithm[:2]+"999")) },
		"another key of that name": func(r *rig) json.RawMessage {
			r.made["bad"] = one
			return published(other.Public(), "bad", r.algorithm)
		},
		"a key with 1024 bits": func(r *rig) json.RawMessage {
			if short == nil { // where such keys are not made any more
				return r.use("bad", one, member("use", "enc"))
			}
			r.made["bad"] = short
			return published(short.Public(), "bad", "RS256")
		},
	} {
		run := rigged(func(ctx context.Context, r *rig) error {
			if one == nil {
				one, other = strangersFor(r.algorithm), strangersFor(r.algorithm)
			}
			r.publish(publish(r))
			return r.denied(ctx, name, "bad", undecided...)
		})
		if err := run(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// strangers are how many tokens of a flood have a key of their own, and herdSize how many come at once.
const (
	strangers = 200
	herdSize  = 24                     // servers may bound what one caller does at once
	farAway   = 200 * time.Millisecond // and how long the issuer takes, so that they meet
)

func flood(ctx context.Context, r *rig) error {
	key := strangersFor(r.algorithm)
	before := r.Fetches()
	for i := range strangers {
		r.made["unknown"+fmt.Sprint(i)] = key
		if err := r.denied(ctx, "an unknown key", "unknown"+fmt.Sprint(i), undecided...); err != nil {
			return err
		}
	}
	if fetches := r.Fetches() - before; fetches > strangers/10 {
		return r.probe.Mismatch("few fetches of the key set", fmt.Sprintf("%d fetches for %d tokens", fetches, strangers))
	} else if fetches > 2 {
		return r.probe.Lesser(engine.Policy, "two fetches of the key set", fmt.Sprintf("%d fetches for %d tokens", fetches, strangers))
	}
	return r.stillGood(ctx, "a good token after the flood")
}

func herd(ctx context.Context, r *rig) error {
	document := quoted(map[string]any{"keys": append([]json.RawMessage{r.fresh("fresh")}, r.issuers...)})
	r.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-time.After(farAway)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(document))
	}))
	token, err := r.signed(ctx, "fresh")
	if err != nil {
		return err
	}
	before := r.Fetches()
	var wait sync.WaitGroup
	statuses := make([]int, herdSize)
	failures := make([]error, herdSize)
	requests := make([]engine.Request, herdSize)
	for i := range requests {
		requests[i] = r.trial.Request()
		requests[i].Header.Set("Authorization", "Bearer "+token)
	}
	for i := range requests {
		wait.Go(func() {
			answer, err := r.probe.Clone().Send(ctx, requests[i])
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
		return r.probe.Mismatch(fmt.Sprintf("a result for each of %d", herdSize), fmt.Sprintf("status %d for one", statuses[i]))
	}
	if fetches := r.Fetches() - before; fetches > 1 {
		return r.probe.Mismatch("one fetch of the key set", fmt.Sprintf("%d fetches for %d who came at once", fetches, herdSize))
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
		"500": says(500, "text/plain", "broken"), "404": says(404, "text/plain", "gone"), "a page": says(200, "text/html", "<html><body>Sign in</body></html>"),
		"an empty object": says(200, "application/json", "{}"), "no keys": says(200, "application/json", `{"keys":[]}`), "null": says(200, "application/json", "null"),
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

// outage has a rig for each way to be out of order: what a server makes of the first it may not ask about for a while.
func outage(ctx context.Context, p *engine.Probe) error {
	var unknown crypto.Signer
	for name, handle := range outOfOrder() {
		run := rigged(func(ctx context.Context, r *rig) error {
			if unknown == nil {
				unknown = strangersFor(r.algorithm)
			}
			r.made["unknown"] = unknown
			r.Serve(handle)
			if err := r.denied(ctx, "an unknown key while the issuer answers: "+name, "unknown", undecided...); err != nil {
				return err
			}
			return r.stillGood(ctx, "a known key after the issuer answered: "+name)
		})
		if err := run(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func redirect(ctx context.Context, r *rig) error {
	lure, err := newLure(quoted(map[string]any{"keys": []any{r.fresh("strange")}}))
	if err != nil {
		return err
	}
	defer lure.Close()
	r.Serve(http.RedirectHandler(lure.URL+"/keys", http.StatusFound))
	if err := r.denied(ctx, "a key from where a redirect leads", "strange", undecided...); err != nil {
		return err
	}
	if hits := lure.hits.Load(); hits > 0 {
		return r.probe.Lesser(engine.Policy, "no request to where the redirect leads", fmt.Sprintf("%d requests", hits))
	}
	return r.stillGood(ctx, "a known key after the redirect")
}

func late(ctx context.Context, p *engine.Probe) error {
	r, err := newRig(ctx, p)
	if err != nil {
		return err
	}
	defer r.Close()
	if r.Advance == nil {
		return &engine.NotApplicable{Reason: "the rig cannot let a minute pass"}
	}
	r.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	token, err := r.probe.Token(ctx, engine.Good)
	if err != nil {
		return err
	}
	answer, err := r.probe.Send(ctx, engine.Request{Header: engine.Bearer(token)})
	switch {
	case err != nil:
		return err
	case answer.Status/100 == 2:
		return r.probe.Insecure("status 503 without any key", fmt.Sprintf("status %d", answer.Status))
	case answer.Status != http.StatusServiceUnavailable:
		return r.probe.Mismatch("status 503 without any key, so that nobody throws a good token away", fmt.Sprintf("status %d", answer.Status))
	}
	r.Serve(nil)
	r.Advance(time.Minute)
	if answer, err = r.probe.Send(ctx, engine.Request{Header: engine.Bearer(token)}); err == nil && !answer.Succeeded() {
		return r.probe.Mismatch("a result a minute after the issuer is back", fmt.Sprintf("status %d", answer.Status))
	}
	return err
}
