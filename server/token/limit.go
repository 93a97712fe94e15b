package token

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"
)

// maxWaiting is how many tokens may wait for their turn. A check takes about 50 µs, so the wait is
// a fifth of a second at most.
const maxWaiting = 4096

// A Limit bounds how many signatures are checked at once to half of the processors, but at least
// one. During a flood of bad tokens, the other processors serve callers whose tokens a [Cache]
// remembers. Several verifiers may share a Limit.
type Limit struct {
	turns   chan struct{}
	waiting atomic.Int32
}

// NewLimit makes a Limit.
func NewLimit() *Limit {
	return &Limit{turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
}

// begin waits for a turn, which end gives back. If too many tokens wait already, it returns an
// [*UnavailableError]. A nil Limit has no bound.
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
