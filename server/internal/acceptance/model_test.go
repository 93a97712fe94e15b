package acceptance_test

import (
	"slices"
	"strings"
	"time"
)

// The model says what the broker should answer. It knows the rules of the documentation, and
// nothing of the store.

// Lifetimes that the documentation promises.
const (
	accessLifetime   = 10 * time.Minute
	accessLeeway     = 5 * time.Second
	codeLifetime     = time.Minute
	codeMemory       = 10 * time.Minute // a replay is noticed for so long
	deviceLifetime   = 10 * time.Minute
	deviceMemory     = 30 * time.Minute
	pageLifetime     = 15 * time.Minute
	graceLifetime    = 30 * time.Second
	grantLifetime    = 30 * 24 * time.Hour
	grantExtension   = time.Hour
	upstreamMargin   = 5 * time.Minute
	unusedLifetime   = 24 * time.Hour
	usedLifetime     = 180 * 24 * time.Hour
	consentLifetime  = 180 * 24 * time.Hour
	replicasAgree    = time.Second // after a grant has ended
	pollTolerance    = time.Second
	pollInterval     = 5 * time.Second
	maxFlows         = 5 // of one browser; more would push out cookies
	maxPages         = 9 // that one browser has open
	wrongCredentials = 10
)

// A modelProgram is a registered client.
type modelProgram struct {
	id       string
	secret   string // "" without one
	redirect string
	devices  bool // it may ask for device codes
	until    time.Time
	used     bool
	guesses  int // wrong secrets
}

// use extends the life of a program that the broker still knows.
func (p *modelProgram) use(now time.Time) {
	isKnown := now.Before(p.until)
	livesLong := p.used && p.until.Sub(now) > usedLifetime/2
	if livesLong || !isKnown {
		return
	}
	p.used = true
	p.until = now.Add(usedLifetime)
}

// A modelUpstream is a sign-in at Entra.
type modelUpstream struct {
	person int
	expiry time.Time // of the access token
	ended  bool
}

// A modelGrant is a grant.
type modelGrant struct {
	program  *modelProgram
	person   int
	scopes   []string
	current  string // the refresh token that counts
	previous string // the one before
	rotated  time.Time
	until    time.Time
	upstream *modelUpstream

	ended   bool
	endedAt time.Time
	endedBy int // the replica
}

func (g *modelGrant) alive(now time.Time) bool { return !g.ended && now.Before(g.until) }

// end ends a grant at a replica.
func (g *modelGrant) end(now time.Time, replica int) {
	if g.alive(now) {
		g.ended = true
		g.endedAt = now
		g.endedBy = replica
	}
}

// rotate makes a refresh token the successor of the current one.
func (g *modelGrant) rotate(successor string, now time.Time) {
	g.previous = g.current
	g.current = successor
	g.rotated = now
	if until := now.Add(grantLifetime); until.Sub(g.until) >= grantExtension {
		g.until = until
	}
}

// A modelCode is an authorization code.
type modelCode struct {
	text     string
	program  *modelProgram
	person   int
	least    []string // scopes that the grant must have
	most     []string // scopes that the grant may have
	issued   time.Time
	upstream *modelUpstream
	grant    *modelGrant // nil before the redemption
	deleted  bool        // by an administrator
}

// A modelDevice is a device code.
type modelDevice struct {
	told     told
	program  *modelProgram
	scopes   []string
	issued   time.Time
	polled   time.Time
	interval time.Duration
	answer   string // approve or deny
	person   int
	upstream *modelUpstream
	grant    *modelGrant
	deleted  bool // by an administrator
}

func (d *modelDevice) waits(now time.Time) bool {
	return d.answer == "" && now.Before(d.issued.Add(deviceLifetime))
}

// poll returns the error of a poll that no person has answered.
func (d *modelDevice) poll(now time.Time) string {
	tooEarly := now.Before(d.polled.Add(d.interval - pollTolerance))
	d.polled = now
	if tooEarly {
		d.interval += pollInterval
		return "slow_down"
	}
	return "authorization_pending"
}

// A modelAccess is an access token.
type modelAccess struct {
	text    string
	grant   *modelGrant
	scopes  []string
	expires time.Time
}

// A verdict says whether a token counts. At the limits both answers are right.
type verdict int

const (
	dead verdict = iota
	alive
	either
)

// judge returns whether an access token counts at a replica.
func (a *modelAccess) judge(now time.Time, replica int) verdict {
	isNew := a.grant.endedBy != replica && now.Sub(a.grant.endedAt) <= replicasAgree
	switch {
	case !now.Before(a.expires.Add(accessLeeway)):
		return dead
	case a.grant.ended && !isNew:
		return dead
	case !now.Before(a.expires), a.grant.ended:
		return either
	}
	return alive
}

// A modelConsent is what a person has approved for a program.
type modelConsent struct {
	scope string
	until time.Time
}

// consentKey names the consents of a person to a program.
type consentKey struct {
	person  int
	program *modelProgram
}

// A modelFlow is an authorization under way.
type modelFlow struct {
	browser *browser
	program *modelProgram
	device  *modelDevice // nil in an ordinary authorization
	scopes  []string     // asked for
	page    string       // the consent page that is open
	address string       // the address at Entra where the browser is
	until   time.Time    // then the page or the address is too old
	seen    []string     // scopes on the pages that the person has approved
	skipped bool         // the broker has asked for no consent

	back     string // the callback, once the browser was at Entra
	person   int    // who has signed in there
	upstream *modelUpstream
	code     *modelCode // the end of an authorization
	over     bool
}

// fields returns the scopes of a scope parameter, in order.
func fields(scope string) []string { return slices.Sorted(slices.Values(strings.Fields(scope))) }

// isWithin reports whether all scopes are in a list.
func isWithin(scopes, list []string) bool {
	return !slices.ContainsFunc(scopes, func(name string) bool { return !slices.Contains(list, name) })
}
