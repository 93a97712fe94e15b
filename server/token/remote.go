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
	// refreshAfter is the age at which the next use fetches the keys again. It bounds how long a
	// withdrawn key still counts.
	refreshAfter = time.Hour
	// keysExpire is the age from which keys do not count, if they cannot be fetched again.
	keysExpire = 24 * time.Hour
	// forcedEvery is the pause between two fetches that unknown key IDs cause, as in Entra's
	// guidance. Without it, every forged token would cause a request to the issuer.
	forcedEvery = 5 * time.Minute
	// retryFailed is the pause after a fetch that failed.
	retryFailed = 5 * time.Second
	// fetchTimeout bounds a fetch from the first byte sent to the last byte read.
	fetchTimeout = 5 * time.Second
	// maxDocument is about fifty times the size of Entra's document, in bytes.
	maxDocument = 1 << 20
)

// Remote caches an issuer's published keys (RFC 7517). Its method [Remote.Keys] is a [KeySource].
// It starts no goroutine that outlives a fetch: a use renews the keys.
//
//   - A use fetches the keys again after an hour. While that fails, the last good keys count until
//     they are 24 hours old.
//   - An unknown key ID causes one fetch for all waiting tokens, at most every five minutes. If a
//     fetch newer than the token's iat lacks the key, the key is unknown. While that fetch is not
//     due or fails, the token cannot be judged.
//
// Do not change the fields after the first use.
type Remote struct {
	// URL is the JWKS document's address. Redirects are not followed.
	URL string
	// Issuers are the allowed values of a key's member "issuer"; keys with another value do not
	// count. Keys without the member always count. nil ignores the member.
	Issuers []string
	// Backdate is how far the issuer sets iat before the time of issue (Entra: five minutes). Keys
	// adds it before it compares iat with the time of a fetch.
	Backdate time.Duration
	// HTTPClient sends the requests; nil means a client of its own, which uses no proxy.
	HTTPClient *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger records failed fetches; nil discards.
	Logger *slog.Logger

	mu      sync.Mutex
	client  *http.Client
	keys    []jose.JSONWebKey
	fetched time.Time     // start of the fetch that returned keys
	source  int           // number of that fetch, counted from 1
	starts  int           // number of started fetches
	forced  time.Time     // when an unknown key ID last caused a fetch that succeeded or runs
	failed  time.Time     // when the last fetch failed, zero after one that succeeded
	failure error         // of that fetch
	running chan struct{} // closed when the running fetch has ended; nil when none runs
}

// Keys returns the keys with an ID. It is a [KeySource].
func (r *Remote) Keys(ctx context.Context, kid string, issued time.Time) ([]jose.JSONWebKey, error) {
	r.mu.Lock()
	if found := withKeyID(r.keys, kid); len(found) > 0 && r.usable(r.now(), refreshAfter) {
		r.mu.Unlock()
		return found, nil
	}
	r.mu.Unlock()
	return r.fetchAndFind(ctx, kid, issued)
}

// fetchAndFind fetches the keys if they are old or lack the ID.
func (r *Remote) fetchAndFind(ctx context.Context, kid string, issued time.Time) ([]jose.JSONWebKey, error) {
	if issued.IsZero() {
		issued = r.now()
	}
	// iat has whole seconds: a fetch in the same second may have been earlier.
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
	return nil, r.undecided()
}

// look finds the keys with an ID. settled reports whether the fetch that returned the keys is newer
// than the token: by the clock, or because it started after the token arrived. The lock is held.
func (r *Remote) look(kid string, newerThan time.Time, arrival int) (found []jose.JSONWebKey, settled bool) {
	return withKeyID(r.keys, kid), r.source > arrival || !r.fetched.Before(newerThan)
}

// Published returns all keys that count now, and fetches them if they are due.
func (r *Remote) Published(ctx context.Context) ([]jose.JSONWebKey, error) {
	if err := r.renew(ctx, func() bool { return false }); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]jose.JSONWebKey(nil), r.keys...), nil
}

// OldKeys reports whether the keys are older than they should be, because the last fetch failed. It
// also returns when they were fetched, or zero if there are no keys.
func (r *Remote) OldKeys() (fetched time.Time, old bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fetched, !r.failed.IsZero()
}

// renew fetches the keys if they are too old. If known reports that the needed key is there, renew
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

// usable reports whether there are keys younger than limit. They stay young if the clock was set
// back. The lock is held.
func (r *Remote) usable(now time.Time, limit time.Duration) bool {
	return !r.fetched.IsZero() && now.Sub(r.fetched) < limit
}

// pausing reports whether the last fetch failed less than retryFailed ago. The lock is held.
func (r *Remote) pausing(now time.Time) bool {
	since := now.Sub(r.failed)
	return !r.failed.IsZero() && since >= 0 && since < retryFailed
}

// force starts a fetch for an unknown key ID, or joins the running one. It returns nil if a fetch
// is not due. The lock is held.
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

// start starts a fetch, or joins the running one. All waiting requests share the fetch, so it does
// not end with the request that caused it. The lock is held.
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
			// The next attempt has to wait for the short pause only.
			r.failed = r.now()
			r.failure = err
			r.forced = time.Time{}
			if r.usable(r.failed, keysExpire) {
				r.logger().Warn("the issuer's keys could not be fetched: old keys are in use", "url", r.URL,
					"error", err, "fetched", r.fetched.UTC(), "good_until", r.fetched.Add(keysExpire).UTC())
			} else {
				r.logger().Error("the issuer's keys could not be fetched: no token can be verified", "url", r.URL,
					"error", err)
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
		// An issuer without keys cannot have issued anything: this is a fault, not a withdrawal.
		return nil, errors.New("the key document has no key that verifies signatures for this issuer")
	}
	return keys, nil
}

// undecided returns the error while the deciding fetch is not due or fails.
func (r *Remote) undecided() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure != nil {
		return &UnavailableError{RetryAfter: retryFailed, Err: r.failure}
	}
	wait := forcedEvery - r.now().Sub(r.forced)
	return &UnavailableError{
		RetryAfter: min(max(wait, time.Second), forcedEvery),
		Err:        errors.New("the key is unknown, and the last fetch of the issuer's keys was a short time ago"),
	}
}

// httpClient returns a copy of the configured client that follows no redirects. With a redirect, an
// attacker who controls one URL of the issuer could replace the keys. The lock is held.
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
