package broker

import (
	"net/http"
	"net/netip"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"mcpentra/server/clientip"
	"mcpentra/server/identity"
)

// Limits bound what one source may do, so that it leaves room for the others. A source is a network
// (/24 of IPv4, /48 of IPv6), and a client as well where it is known. Zero means the default.
type Limits struct {
	// ClientPerMinute bounds the sign-ins that one client begins from one network, and its device
	// codes. A client that authenticates counts in all networks together. It also bounds the tokens
	// that a client gets for itself. Zero means half of RegistrationsPerMinute; negative means no
	// bound.
	ClientPerMinute int
	// WrongPerMinute bounds the wrong secrets for one client, and the wrong user codes, that come
	// from one network. A right one always counts. Zero means 10; negative means no bound.
	WrongPerMinute int
	// Pending bounds the sign-ins under way, the codes and the device codes, each. Twice as many
	// clients can wait for the first sign-in. If there are more, the network with the most loses
	// its oldest. Zero means 10,000.
	Pending int
	// FetchesAtOnce bounds the client documents and keys that one network may have fetched at the
	// same time. A site that serves them has half as many, and all together four times as many.
	// Zero means 32.
	FetchesAtOnce int
}

func (l Limits) withDefaults(registrationsPerMinute int) Limits {
	if l.ClientPerMinute == 0 {
		l.ClientPerMinute = registrationsPerMinute
		if registrationsPerMinute > 1 {
			l.ClientPerMinute = registrationsPerMinute / 2
		}
	}
	if l.WrongPerMinute == 0 {
		l.WrongPerMinute = 10
	}
	if l.Pending <= 0 {
		l.Pending = defaultPending
	}
	return l
}

// defaultPending is the default of Limits.Pending.
const defaultPending = 10_000

// A budget is a number of actions that each source has in a minute. Each budget is separate. Only
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
	appTokens         budget = "tokens"
)

// maxLimiters bounds the networks, and the pairs of network and client, that have a limiter.
const maxLimiters = 50_000

// newLimiters makes an empty set of limiters. A full set forgets the limiter that was not used for
// longest, and its network starts anew.
func newLimiters() *lru.Cache[string, *rate.Limiter] {
	limiters, _ := lru.New[string, *rate.Limiter](maxLimiters) // it refuses only a size below 1
	return limiters
}

// spend takes one action from the budgets of the client and of the network that sent a request. If
// one of them is empty, it returns the refusal. The client may be nil.
func (b *Broker) spend(from budget, c *spender, r *http.Request) *protocolError {
	network := b.network(r)
	if c != nil && !b.spendOfClient(from, c, network) {
		return tooMany("too many "+string(from)+" of this client").
			saw("client", c.clientID).allowedBy(settingClientLimit)
	}
	if !b.take(string(from)+" "+network, b.config.RegistrationsPerMinute) {
		problem := tooMany("too many " + string(from) + " from this network").allowedBy(settingLimit)
		if c != nil {
			problem = problem.saw("client", c.clientID)
		}
		return problem
	}
	return nil
}

// A spender is the client that uses a budget. Strangers can send the ID of a client that does not
// authenticate. So that client counts in each network alone.
type spender struct {
	clientID string
	isProven bool
}

func (b *Broker) spendOfClient(from budget, c *spender, network string) bool {
	key := string(from) + " client " + c.clientID
	if !c.isProven {
		key += " " + network
	}
	return b.take(key, b.config.Limits.ClientPerMinute)
}

// take takes one action from a budget of so many per minute. It reports whether one was left.
func (b *Broker) take(key string, perMinute int) bool {
	if perMinute < 0 {
		return true
	}
	return limiter(b.budgets, key, rate.Limit(float64(perMinute)/60), perMinute).AllowN(b.now(), 1)
}

// guessed counts a wrong credential. It reports whether this network has sent too many for this
// client. A right credential never counts, and wrong ones before it do not matter.
func (b *Broker) guessed(clientID string, r *http.Request) (tooMany bool) {
	perMinute := b.config.Limits.WrongPerMinute
	if perMinute < 0 {
		return false
	}
	key := b.network(r) + " " + clientID
	return !limiter(b.guesses, key, rate.Limit(float64(perMinute)/60), perMinute).AllowN(b.now(), 1)
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
