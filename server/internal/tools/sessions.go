package tools

import (
	"crypto/rand"
	"errors"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// defaultSessions replaces a Config.MaxSessions of 0, mostSessions a negative one.
	defaultSessions = 10_000
	mostSessions    = 1_000_000
	// sessionIdle is how long an unused session lasts.
	sessionIdle = time.Hour
)

// sessionList is a session ID manager for mcp-go that bounds the number of sessions and ends unused
// ones. mcp-go's own lists grow with every initialize.
type sessionList struct {
	now  func() time.Time
	used *lru.Cache[string, time.Time]
}

// newSessionList makes a list that calls onEnd for each session that ends.
func newSessionList(size int, now func() time.Time, onEnd func(id string)) *sessionList {
	l := &sessionList{now: now}
	l.used, _ = lru.NewWithEvict(size, func(id string, _ time.Time) { onEnd(id) }) // fails only for a size below 1
	return l
}

// Generate begins a session. Its ID has 128 random bits; the guard adds its caller.
func (l *sessionList) Generate() string {
	id := rand.Text()
	l.used.Add(id, l.now())
	return id
}

var errNoSession = errors.New("session not found")

// Validate reports whether a session still exists.
func (l *sessionList) Validate(id string) (terminated bool, err error) {
	used, found := l.used.Get(id)
	now := l.now()
	switch {
	case !found:
		return false, errNoSession
	case now.Sub(used) >= sessionIdle:
		l.used.Remove(id)
		return false, errNoSession
	}
	l.used.Add(id, now)
	return false, nil
}

// Terminate ends a session.
func (l *sessionList) Terminate(id string) (notAllowed bool, err error) {
	l.used.Remove(id)
	return false, nil
}
