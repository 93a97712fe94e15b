package token

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"
)

// maxWaiting is how many tokens may wait for their turn. A check takes some 50 µs, so that is a
// fifth of a second at most.
const maxWaiting = 4096

// A Limit bounds how many signatures are checked at once: by half of the processors, and by one at
// the least. A flood of bad ones then leaves the others to callers whose tokens a [Cache]
// remembers, of which nothing is checked. Several verifiers may share a Limit.
type Limit struct {
	turns   chan struct{}
	waiting atomic.Int32
}

// NewLimit makes a Limit.
func NewLimit() *Limit {
	return &Limit{turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
}

// begin waits for a turn, which end gives back. Where too many wait already, nobody can tell now
// whether a token is good. A nil Limit has turns for all.
func (l *Limit) begin(ctx context.Context) error {
	if l == nil {
		return nil
	}
	select {
	case l.turns <- struct{}{}:
		return nil
	default:
	}
	defer l.waiting.Add(-1)
	if l.waiting.Add(1) > maxWaiting {
		return &UnavailableError{
			RetryAfter: time.Second,
			Err:        errors.New("too many tokens wait for their signatures to be checked"),
		}
	}
	select {
	case l.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Limit) end() {
	if l != nil {
		<-l.turns
	}
}
