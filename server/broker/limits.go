package broker

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/netip"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"mcpentra/server/clientip"
)

// A budget is something that each network can have a number of in a minute. One budget that is used
// up leaves the others as they are. Only what the broker is about to remember counts: a request
// that is refused has no effect on those of others.
type budget string

const (
	// registrations are those that programs make, and pageRegistrations those that pages of other
	// sites make with the browser of a person who visits them. So no page can use up what the
	// person's own programs need.
	registrations     budget = "registrations"
	pageRegistrations budget = "registrations by pages"
	signIns           budget = "sign-ins"
)

// maxLimiters bounds the networks that are counted, and the pairs of network and client.
const maxLimiters = 50_000

// newLimiters makes an empty set of limiters. The one that was not used for longest goes first, and
// its network starts anew.
func newLimiters() *lru.Cache[string, *rate.Limiter] {
	limiters, _ := lru.New[string, *rate.Limiter](maxLimiters) // only a size below 1 is refused
	return limiters
}

// spend takes one from the budget of the network that a request comes from, and reports whether one
// was left.
func (b *Broker) spend(from budget, r *http.Request) bool {
	perMinute := b.config.RegistrationsPerMinute
	if perMinute < 0 {
		return true
	}
	key := string(from) + " " + b.network(r)
	return limiter(b.budgets, key, rate.Limit(float64(perMinute)/60), perMinute).AllowN(b.now(), 1)
}

// guessed counts a wrong credential, and reports whether there were too many for this client from
// this network. A right credential is never counted, and never refused for the wrong ones before
// it.
func (b *Broker) guessed(clientID string, r *http.Request) (tooMany bool) {
	return !limiter(b.guesses, b.network(r)+" "+clientID, rate.Every(10*time.Second), 10).AllowN(b.now(), 1)
}

func limiter(limiters *lru.Cache[string, *rate.Limiter], key string, limit rate.Limit, burst int) *rate.Limiter {
	if held, found := limiters.Get(key); found {
		return held
	}
	fresh := rate.NewLimiter(limit, burst)
	if held, found, _ := limiters.PeekOrAdd(key, fresh); found {
		return held
	}
	return fresh
}

// address is the client's.
func (b *Broker) address(r *http.Request) netip.Addr { return b.config.TrustedProxies.Address(r) }

// network is what the client's address counts as.
func (b *Broker) network(r *http.Request) string { return clientip.Network(b.address(r)).String() }

// networkSource is the store's name for the network that a request comes from. The store learns no
// address.
func (b *Broker) networkSource(r *http.Request) string { return b.sourceName("network", b.network(r)) }

// personSource is the store's name for a person.
func (b *Broker) personSource(who Principal) string {
	return b.sourceName("person", who.Issuer, who.TenantID, who.ObjectID)
}

func (b *Broker) sourceName(parts ...string) string {
	mac := hmac.New(sha256.New, b.config.Keys.Derive("sources")[0])
	mac.Write([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])
}

// fromOtherSite reports whether a browser says that a page of another site sent a request (Fetch
// Metadata). Programs say nothing.
func fromOtherSite(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "cross-site" || site == "same-site"
}

// loadedByPage reports whether a page of another site loads an address, as an image, a frame or a
// script's request, rather than a person going there.
func loadedByPage(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	destination := r.Header.Get("Sec-Fetch-Dest")
	return fromOtherSite(r) && (mode != "" && mode != "navigate" || destination != "" && destination != "document")
}
