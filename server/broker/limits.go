package broker

import (
	"net/http"
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"mcpentra/server/clientip"
	"mcpentra/server/identity"
)

// A budget is a number of actions that each network has in a minute. Each budget is separate. Only
// actions that the broker is about to remember count: a refused request affects no other request.
type budget string

const (
	// Programs spend registrations. Other sites' pages, in the browser of a person who visits them,
	// spend pageRegistrations. So no page can use up the budget of the person's own programs. The
	// same holds for device codes.
	registrations     budget = "registrations"
	pageRegistrations budget = "registrations by pages"
	signIns           budget = "sign-ins"
	devices           budget = "device codes"
	pageDevices       budget = "device codes by pages"
)

// maxLimiters bounds the networks, and the pairs of network and client, that have a limiter.
const maxLimiters = 50_000

// newLimiters makes an empty set of limiters. A full set forgets the limiter that was not used for
// longest, and its network starts anew.
func newLimiters() *lru.Cache[string, *rate.Limiter] {
	limiters, _ := lru.New[string, *rate.Limiter](maxLimiters) // it refuses only a size below 1
	return limiters
}

// spend takes one action from the budget of the network that sent a request. It reports whether one
// was left.
func (b *Broker) spend(from budget, r *http.Request) bool {
	perMinute := b.config.RegistrationsPerMinute
	if perMinute < 0 {
		return true
	}
	key := string(from) + " " + b.network(r)
	return limiter(b.budgets, key, rate.Limit(float64(perMinute)/60), perMinute).AllowN(b.now(), 1)
}

// guessed counts a wrong credential. It reports whether this network has sent too many for this
// client. A right credential never counts, and wrong ones before it do not matter.
func (b *Broker) guessed(clientID string, r *http.Request) (tooMany bool) {
	key := b.network(r) + " " + clientID
	return !limiter(b.guesses, key, rate.Every(10*time.Second), 10).AllowN(b.now(), 1)
}

func limiter(limiters *lru.Cache[string, *rate.Limiter], key string, limit rate.Limit, burst int) *rate.Limiter {
	if kept, found := limiters.Get(key); found {
		return kept
	}
	fresh := rate.NewLimiter(limit, burst)
	if kept, found, _ := limiters.PeekOrAdd(key, fresh); found {
		return kept
	}
	return fresh
}

// address returns the client's address.
func (b *Broker) address(r *http.Request) netip.Addr { return b.config.TrustedProxies.Address(r) }

// network returns the network of the client's address.
func (b *Broker) network(r *http.Request) string { return clientip.Network(b.address(r)).String() }

// networkSource returns the store's name for the network of a request. The store does not see the
// address.
func (b *Broker) networkSource(r *http.Request) string {
	return b.config.Keys.name(b.now(), "network", b.network(r))
}

// personSource returns the store's name for a person.
func (b *Broker) personSource(person identity.Principal) string {
	return b.config.Keys.name(b.now(), personParts(person)...)
}

func personParts(person identity.Principal) []string {
	return []string{"person", person.Issuer, person.TenantID, person.ObjectID}
}

// clientGroup returns the store's name for the records of a client.
func (b *Broker) clientGroup(clientID string) string {
	return b.config.Keys.name(b.now(), "client", clientID)
}
