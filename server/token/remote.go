package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// refreshAfter is the age at which keys are fetched again when they are next used. It bounds
	// how long a withdrawn key still counts.
	refreshAfter = time.Hour
	// keysExpire is the age at which keys that cannot be fetched again stop counting.
	keysExpire = 24 * time.Hour
	// forcedEvery is the pause between two fetches that unknown key ids cause, as Entra's guidance
	// has it: without it, every forged token would be a request to the issuer.
	forcedEvery = 5 * time.Minute
	// retryFailed is the pause after a fetch that failed.
	retryFailed = 5 * time.Second
	// fetchTimeout bounds a fetch from the first byte sent to the last byte read.
	fetchTimeout = 5 * time.Second
	// maxDocument is some fifty times what Entra's document measures.
	maxDocument = 1 << 20
)

// Remote is the cache of an issuer's published keys (RFC 7517). Its method [Remote.Keys] is a
// [KeySource]. It starts no goroutine that outlives a fetch: keys are renewed when they are used.
//
//   - Keys are fetched again after an hour. While that fails, the last good ones count until they
//     are 24 hours old.
//   - A key id that is not there is looked up once more at the issuer, by one fetch for all who
//     wait, and at most every five minutes. Once a fetch newer than the token's iat lacks the key,
//     it is unknown; while that fetch is still owed, or fails, nobody can tell.
//
// The fields must not be changed after the first use.
type Remote struct {
	// URL is the JWKS document's address. Redirects are not followed.
	URL string
	// Issuers are the values that a key's member "issuer" may have; keys with another are left out.
	// Keys without the member always count. nil means that the member is not looked at.
	Issuers []string
	// Backdate is how far the issuer sets iat before the time of issue (Entra: five minutes). It
	// is added when a token's age is compared with a fetch's.
	Backdate time.Duration
	// HTTPClient sends the requests; nil means a client of its own, which knows no proxy.
	HTTPClient *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger hears of fetches that fail; nil discards.
	Logger *slog.Logger

	mu      sync.Mutex
	client  *http.Client
	keys    []jose.JSONWebKey
	fetched time.Time     // when the fetch that brought keys was started
	source  int           // which fetch that was, counted from 1
	starts  int           // how many fetches have been started
	forced  time.Time     // when an unknown key id last caused a fetch that succeeded or runs
	failed  time.Time     // when the last fetch failed, zero after one that succeeded
	failure error         // why
	running chan struct{} // closed when the running fetch has ended; nil when none runs
}

// Keys is the [KeySource].
func (r *Remote) Keys(ctx context.Context, kid string, issued time.Time) ([]jose.JSONWebKey, error) {
	// What most tokens need is there.
	r.mu.Lock()
	if found := withKeyID(r.keys, kid); len(found) > 0 && r.usable(r.now(), refreshAfter) {
		r.mu.Unlock()
		return found, nil
	}
	r.mu.Unlock()
	return r.ask(ctx, kid, issued)
}

// ask is Keys where the issuer may have to be asked.
func (r *Remote) ask(ctx context.Context, kid string, issued time.Time) ([]jose.JSONWebKey, error) {
	if issued.IsZero() {
		issued = r.now()
	}
	// iat has whole seconds: a fetch within the same second may have come first.
	newerThan := issued.Add(r.Backdate + time.Second)
	r.mu.Lock()
	arrival := r.starts
	r.mu.Unlock()

	if err := r.renew(ctx, func() bool { return len(withKeyID(r.keys, kid)) > 0 }); err != nil {
		return nil, err
	}
	r.mu.Lock()
	found, settled := r.look(kid, newerThan, arrival)
	var wait <-chan struct{}
	if len(found) == 0 && !settled {
		wait = r.force(ctx)
	}
	r.mu.Unlock()
	if wait != nil {
		if err := await(ctx, wait); err != nil {
			return nil, err
		}
		r.mu.Lock()
		found, settled = r.look(kid, newerThan, arrival)
		r.mu.Unlock()
	}
	switch {
	case len(found) > 0:
		return found, nil
	case settled:
		return nil, ErrUnknownKey
	}
	return nil, r.owed()
}

// look finds the keys with that id, and tells whether the fetch that brought the keys is newer than
// the token: by the clock, or because it was started after the token arrived. The lock is held.
func (r *Remote) look(kid string, newerThan time.Time, arrival int) (found []jose.JSONWebKey, settled bool) {
	return withKeyID(r.keys, kid), r.source > arrival || !r.fetched.Before(newerThan)
}

// Published returns all keys that count now, fetching them when that is due.
func (r *Remote) Published(ctx context.Context) ([]jose.JSONWebKey, error) {
	if err := r.renew(ctx, func() bool { return false }); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]jose.JSONWebKey(nil), r.keys...), nil
}

// OldKeys reports whether the keys in use are older than they should be, since the issuer cannot be
// asked, and when they were fetched. The time is zero while there are none.
func (r *Remote) OldKeys() (fetched time.Time, old bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fetched, !r.failed.IsZero()
}

// renew sees to it that there are keys which are not too old. Whoever has what is needed (known)
// does not wait for an issuer that failed the last time.
func (r *Remote) renew(ctx context.Context, known func() bool) error {
	r.mu.Lock()
	now := r.now()
	if r.usable(now, refreshAfter) {
		r.mu.Unlock()
		return nil
	}
	failing := !r.failed.IsZero()
	var wait <-chan struct{}
	if !r.pausing(now) {
		wait = r.start(ctx)
	}
	if r.usable(now, keysExpire) && (wait == nil || failing && known()) {
		r.mu.Unlock()
		return nil
	}
	r.mu.Unlock()
	if wait != nil {
		if err := await(ctx, wait); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.usable(r.now(), keysExpire) {
		return &UnavailableError{RetryAfter: retryFailed, Err: r.failure}
	}
	return nil
}

// usable reports whether there are keys younger than limit. A clock that was set back makes no key
// old. The lock is held.
func (r *Remote) usable(now time.Time, limit time.Duration) bool {
	return !r.fetched.IsZero() && now.Sub(r.fetched) < limit
}

// pausing reports whether the last fetch failed too short a time ago. The lock is held.
func (r *Remote) pausing(now time.Time) bool {
	since := now.Sub(r.failed)
	return !r.failed.IsZero() && since >= 0 && since < retryFailed
}

// force starts the fetch that an unknown key id is worth, or joins the one that runs; nil means
// that it is not due. The lock is held.
func (r *Remote) force(ctx context.Context) <-chan struct{} {
	if r.running != nil {
		return r.running
	}
	now := r.now()
	since := now.Sub(r.forced)
	if r.pausing(now) || !r.forced.IsZero() && since >= 0 && since < forcedEvery {
		return nil
	}
	r.forced = now
	return r.start(ctx)
}

// start begins a fetch, or joins the one that runs. The fetch belongs to everybody who waits, so
// it does not end with the request that caused it. The lock is held.
func (r *Remote) start(ctx context.Context) <-chan struct{} {
	if r.running != nil {
		return r.running
	}
	done := make(chan struct{})
	started := r.now()
	r.running = done
	r.starts++
	number := r.starts
	client := r.httpClient()
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		keys, err := r.fetch(ctx, client)
		r.mu.Lock()
		defer r.mu.Unlock()
		defer close(done)
		r.running = nil
		if err != nil {
			// The fetch is still owed: the next attempt has to wait for the pause only.
			r.failed = r.now()
			r.failure = err
			r.forced = time.Time{}
			if r.usable(r.failed, keysExpire) {
				r.logger().
					Warn("the issuer's keys could not be fetched: old ones are in use", "url", r.URL, "error", err,
						"fetched", r.fetched.UTC(), "good_until", r.fetched.Add(keysExpire).UTC())
			} else {
				r.logger().Error("the issuer's keys could not be fetched: no token can be judged", "url", r.URL, "error", err)
			}
			return
		}
		if !r.failed.IsZero() {
			r.logger().Info("the issuer's keys could be fetched again", "url", r.URL)
		}
		r.keys = keys
		r.fetched = started
		r.source = number
		r.failed = time.Time{}
		r.failure = nil
	}()
	return done
}

func (r *Remote) fetch(ctx context.Context, client *http.Client) ([]jose.JSONWebKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the key document answered %d, wanted 200", resp.StatusCode)
	}
	document, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(document) > maxDocument {
		return nil, fmt.Errorf("the key document has more than %d bytes", maxDocument)
	}
	keys, err := parseKeySet(document, r.Issuers)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		// An issuer without keys cannot have issued anything: a fault, not a withdrawal.
		return nil, errors.New("the key document has no key that verifies signatures for this issuer")
	}
	return keys, nil
}

// owed is the answer while the fetch that would decide is not due or fails.
func (r *Remote) owed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure != nil {
		return &UnavailableError{RetryAfter: retryFailed, Err: r.failure}
	}
	wait := forcedEvery - r.now().Sub(r.forced)
	return &UnavailableError{
		RetryAfter: min(max(wait, time.Second), forcedEvery),
		Err:        errors.New("the key is unknown, and the issuer has been asked a short time ago"),
	}
}

// httpClient is a copy of the configured client that follows no redirects: a redirect would let
// whoever controls one URL of the issuer put other keys in place. The lock is held.
func (r *Remote) httpClient() *http.Client {
	if r.client == nil {
		var client http.Client
		if r.HTTPClient != nil {
			client = *r.HTTPClient
		}
		if client.Transport == nil {
			client.Transport = &http.Transport{
				ForceAttemptHTTP2:      true,
				IdleConnTimeout:        90 * time.Second,
				MaxResponseHeaderBytes: 64 << 10,
			}
		}
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		r.client = &client
	}
	return r.client
}

func (r *Remote) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

func (r *Remote) logger() *slog.Logger {
	if r.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Logger
}

func await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
