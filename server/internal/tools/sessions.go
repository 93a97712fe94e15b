package tools

import (
	"crypto/rand"
	"errors"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// defaultSessions is Config.MaxSessions where it is 0, and mostSessions where it is negative.
	defaultSessions = 10_000
	mostSessions    = 1_000_000
	// sessionIdle is how long a session lasts that nobody uses.
	sessionIdle = time.Hour
)

// sessionList is mcp-go's session id manager with an end to everything: to the number of sessions,
// and to those that nobody uses. mcp-go's own lists grow with every initialize.
type sessionList struct {
	now  func() time.Time
	used *lru.Cache[string, time.Time]
}

// newSessionList makes one; over is told of each session that has ended.
func newSessionList(size int, now func() time.Time, over func(id string)) *sessionList {
	l := &sessionList{now: now}
	l.used, _ = lru.NewWithEvict(size, func(id string, _ time.Time) { over(id) }) // only a size below 1 is refused
	return l
}

// Generate begins a session. Its id has 128 random bits; the guard adds whose it is.
func (l *sessionList) Generate() string {
	id := rand.Text()
	l.used.Add(id, l.now())
	return id
}

var errNoSession = errors.New("session not found")

// Validate tells whether a session goes on.
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

// Terminate ends one.
func (l *sessionList) Terminate(id string) (notAllowed bool, err error) {
	l.used.Remove(id)
	return false, nil
}
