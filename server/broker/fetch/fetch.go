package fetch

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

const (
	// timeout bounds a fetch: the look-up of the name, the connection and the answer.
	timeout = 5 * time.Second
	// pause is how long a URL is left alone after the network failed.
	pause = 5 * time.Second
	// maxHeader bounds the header fields of an answer, in bytes.
	maxHeader = 16 << 10
	// maxMarks bounds the URLs whose last result is known.
	maxMarks = 20_000
)

// A Config configures a fetcher of documents that are read as a T. Parse is required.
type Config[T any] struct {
	// Hosts are the hosts that may be asked.
	Hosts Hosts
	// Parse reads a document. Its error makes the document invalid.
	Parse func(url string, body []byte) (T, error)
	// MaxBytes bounds a document. Zero means 64 KiB.
	MaxBytes int64
	// CacheBytes bounds all cached documents together. Zero means 16 MiB.
	CacheBytes int
	// PerMinute bounds the fetches that one network may cause, of URLs without a good document.
	// Zero means 120; negative means no bound.
	PerMinute int
	// AtOnce bounds the fetches that one network may have at the same time. One site has half as
	// many, and all networks together four times as many. Zero means 32.
	AtOnce int
	// RootCAs sign the certificates of hosts. Nil means the system's roots.
	RootCAs *x509.CertPool
	// Lookup resolves a host's name. Nil means net.DefaultResolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Dial connects to an address that the address policy allows. Nil means a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// A Fetcher gets documents and caches them. It is safe for concurrent use and starts no goroutine
// that outlives a fetch.
type Fetcher[T any] struct {
	config  Config[T]
	cache   *cache[T]
	limits  *limits
	marks   *lru.Cache[[sha256.Size]byte, mark]
	flights singleflight.Group
	client  *http.Client
}

// A mark is what the last fetch of a URL ended with.
type mark struct {
	isGood bool
	failed *Error // the network failed, and the URL is left alone until retry
	retry  time.Time
}

// New makes a fetcher.
func New[T any](config Config[T]) *Fetcher[T] {
	if config.MaxBytes == 0 {
		config.MaxBytes = 64 << 10
	}
	if config.CacheBytes == 0 {
		config.CacheBytes = 16 << 20
	}
	if config.PerMinute == 0 {
		config.PerMinute = 120
	}
	if config.AtOnce <= 0 {
		config.AtOnce = 32
	}
	if config.Lookup == nil {
		config.Lookup = lookup
	}
	if config.Dial == nil {
		config.Dial = (&net.Dialer{}).DialContext
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	marks, _ := lru.New[[sha256.Size]byte, mark](maxMarks) // it refuses only a size below 1
	f := &Fetcher[T]{
		config: config,
		cache:  newCache[T](config.CacheBytes),
		limits: newLimits(config.PerMinute, config.AtOnce),
		marks:  marks,
	}
	f.client = f.newClient()
	return f
}

// Get returns the document of a URL. It asks the host unless the cached document is fresh. The
// network is the one whose request needs the document; empty means no one's. The error is an
// *Error, or the error of ctx.
func (f *Fetcher[T]) Get(ctx context.Context, url, network string) (T, error) {
	var none T
	aim, err := f.config.Hosts.target(url)
	if err != nil {
		return none, &Error{Reason: Refused, Err: err}
	}
	if kept, isFresh := f.fresh(url); isFresh {
		return kept, nil
	}
	flight := f.flights.DoChan(url, func() (any, error) {
		return f.fetch(context.WithoutCancel(ctx), url, network, aim)
	})
	select {
	case <-ctx.Done():
		return none, ctx.Err()
	case result := <-flight:
		if result.Err != nil {
			return none, result.Err
		}
		value, _ := result.Val.(T)
		return value, nil
	}
}

// fresh returns the document of a URL if the host need not be asked.
func (f *Fetcher[T]) fresh(url string) (value T, isFresh bool) {
	kept, found := f.cache.get(url)
	if !found || !f.config.Now().Before(kept.freshness.until) {
		return value, false
	}
	return kept.value, true
}

// Last returns the last good document of a URL. A caller must not grant anything new by it. It
// returns false if the host wants to be asked each time, if the document stopped to be fresh more
// than a day ago, or if the cache has forgotten it.
func (f *Fetcher[T]) Last(url string) (value T, found bool) {
	kept, found := f.cache.get(url)
	if !found || !f.mayBeUsedStale(kept) {
		return value, false
	}
	return kept.value, true
}

// Expire makes the next Get ask the host, because the cached document lacks something.
func (f *Fetcher[T]) Expire(url string) { f.cache.remove(url) }

func (f *Fetcher[T]) mayBeUsedStale(kept *entry[T]) bool {
	return kept.freshness.mayBeStale && f.config.Now().Before(kept.freshness.until.Add(staleLifetime))
}

// fetch asks the host, within the bounds.
func (f *Fetcher[T]) fetch(ctx context.Context, url, network string, aim *target) (T, error) {
	var none T
	if kept, isFresh := f.fresh(url); isFresh {
		return kept, nil // another fetch has just ended
	}
	known, _ := f.marks.Get(keyOf(url))
	now := f.config.Now()
	if known.failed != nil && now.Before(known.retry) {
		return none, known.failed
	}
	// A URL with a good document costs no budget. Its host decides how often it is asked.
	if !known.isGood {
		if err := f.limits.spend(network, now); err != nil {
			return none, err
		}
	}
	end, err := f.limits.begin(siteOf(aim.host), network)
	if err != nil {
		return none, err
	}
	defer end()
	value, err := f.ask(ctx, url, network, aim)
	f.remember(url, err)
	return value, err
}

// remember notes the result of a fetch. It drops a document that was withdrawn or became invalid.
func (f *Fetcher[T]) remember(url string, err error) {
	var known mark
	var problem *Error
	switch {
	case err == nil:
		known = mark{isGood: true}
	case errors.As(err, &problem) && problem.Reason == Unreachable:
		known = mark{failed: problem, retry: f.config.Now().Add(pause)}
	default:
		f.cache.remove(url)
	}
	f.marks.Add(keyOf(url), known)
}
