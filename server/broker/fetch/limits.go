package fetch

import (
	"errors"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/net/publicsuffix"
	"golang.org/x/time/rate"
)

// maxNetworks bounds the networks that have a limiter.
const maxNetworks = 50_000

// limits bounds the fetches. The zero value is not usable; use newLimits.
type limits struct {
	perMinute int // of one network; negative means no bound
	atOnce    int // of one network
	networks  *lru.Cache[string, *rate.Limiter]

	mu      sync.Mutex
	all     int
	running map[string]int // by site and by network
}

func newLimits(perMinute, atOnce int) *limits {
	networks, _ := lru.New[string, *rate.Limiter](maxNetworks) // it refuses only a size below 1
	return &limits{perMinute: perMinute, atOnce: atOnce, networks: networks, running: map[string]int{}}
}

// spend takes one fetch from a network's budget of a minute.
func (l *limits) spend(network string, now time.Time) error {
	if l.perMinute < 0 || network == "" {
		return nil
	}
	limiter, found := l.networks.Get(network)
	if !found {
		limiter = rate.NewLimiter(rate.Limit(float64(l.perMinute)/60), l.perMinute)
		if kept, isKept, _ := l.networks.PeekOrAdd(network, limiter); isKept {
			limiter = kept
		}
	}
	if limiter.AllowN(now, 1) {
		return nil
	}
	return &Error{
		Reason:     TooMany,
		Err:        errors.New("this network has caused too many fetches in a minute"),
		RetryAfter: time.Minute,
	}
}

// begin counts a fetch that runs. The caller calls end afterwards. A stranger has few networks and
// sites, so slow hosts leave room for the documents of others.
func (l *limits) begin(site, network string) (end func(), err error) {
	site = "site " + site
	network = "network " + network
	l.mu.Lock()
	defer l.mu.Unlock()
	problem := ""
	switch {
	case l.all >= 4*l.atOnce:
		problem = "too many fetches run at once"
	case l.running[site] >= max(1, l.atOnce/2):
		problem = "too many fetches from this site run at once"
	case l.running[network] >= l.atOnce:
		problem = "this network has caused too many fetches that run at once"
	}
	if problem != "" {
		return nil, &Error{Reason: TooMany, Err: errors.New(problem), RetryAfter: timeout}
	}
	l.all++
	l.running[site]++
	l.running[network]++
	return func() { l.end(site, network) }, nil
}

func (l *limits) end(keys ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	for _, key := range keys {
		l.running[key]--
		if l.running[key] == 0 {
			delete(l.running, key)
		}
	}
}

// siteOf returns the domain that one party registers, such as example.co.uk for a.example.co.uk. So
// a party gains nothing from many names.
func siteOf(host string) string {
	site, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return host // an address, or a public suffix itself
	}
	return site
}
