package entra

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// signInPatience is how long a sign-in waits for a throttled endpoint.
	signInPatience = 5 * time.Second
	// maxPauses bounds the number of remembered subjects.
	maxPauses = 10_000
)

// A subject is the hash of the token that a request presents. Entra may throttle the requests of
// one person and answer all others.
type subject [sha256.Size]byte

// noSubject is the subject of requests without a token.
var noSubject subject

func subjectOf(token string) subject { return sha256.Sum256([]byte(token)) }

// pauses remember until when an endpoint wants no request (RFC 9110 section 10.2.3). It is safe for
// concurrent use.
type pauses struct {
	now func() time.Time

	mu        sync.Mutex
	endpoints map[string]time.Time // by name: token, discovery
	subjects  *lru.Cache[subject, time.Time]
}

func newPauses(now func() time.Time) *pauses {
	subjects, _ := lru.New[subject, time.Time](maxPauses) // fails only for a size below 1
	return &pauses{now: now, endpoints: map[string]time.Time{}, subjects: subjects}
}

// left returns how long a request has to wait.
func (p *pauses) left(endpoint string, who subject) time.Duration {
	p.mu.Lock()
	until := p.endpoints[endpoint]
	p.mu.Unlock()
	if own, found := p.subjects.Get(who); found && own.After(until) {
		until = own
	}
	return max(until.Sub(p.now()), 0)
}

// note remembers the pause that an error asks for. A status of the whole endpoint pauses all its
// requests. A refusal of one token pauses that token's.
func (p *pauses) note(endpoint string, who subject, err error) {
	var unavailable *UnavailableError
	if !errors.As(err, &unavailable) || unavailable.RetryAfter <= 0 {
		return
	}
	until := p.now().Add(unavailable.RetryAfter)
	switch {
	case unavailable.Status == http.StatusTooManyRequests, unavailable.Status >= 500:
		p.mu.Lock()
		p.endpoints[endpoint] = until
		p.mu.Unlock()
	case who != noSubject:
		p.subjects.Add(who, until)
	}
}

// errPaused answers a request that was not sent.
func errPaused(op string, left time.Duration) error {
	return &UnavailableError{
		Op:         op,
		RetryAfter: left,
		Err:        fmt.Errorf("entra asked for a pause, which lasts %s more", left.Round(time.Second)),
	}
}

// wait waits for the end of a short pause. It reports whether the pause was short enough.
func wait(ctx context.Context, left time.Duration) bool {
	if left > signInPatience {
		return false
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
