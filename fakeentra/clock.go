package fakeentra

import (
	"sync"
	"time"
)

// A clock is Config.Now. A test can move it or stop it.
type clock struct {
	source func() time.Time

	mu     sync.Mutex
	ahead  time.Duration
	frozen time.Time // zero while it runs
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.frozen.IsZero() {
		return c.frozen
	}
	return c.source().Add(c.ahead)
}

// Now is the time by the fake's clock.
func (f *Fake) Now() time.Time { return f.clock.now() }

// Advance sets the fake's clock forward, or back, on top of Config.Now: codes, tokens and device
// codes expire by it. It works on a clock that stands still, too.
func (f *Fake) Advance(by time.Duration) {
	f.clock.mu.Lock()
	defer f.clock.mu.Unlock()
	if !f.clock.frozen.IsZero() {
		f.clock.frozen = f.clock.frozen.Add(by)
		return
	}
	f.clock.ahead += by
}

// Freeze stops the fake's clock at a moment.
func (f *Fake) Freeze(at time.Time) {
	f.clock.mu.Lock()
	defer f.clock.mu.Unlock()
	f.clock.frozen = at
}

// Unfreeze lets the clock run on from the time that it shows.
func (f *Fake) Unfreeze() {
	f.clock.mu.Lock()
	defer f.clock.mu.Unlock()
	if !f.clock.frozen.IsZero() {
		f.clock.ahead = f.clock.frozen.Sub(f.clock.source())
		f.clock.frozen = time.Time{}
	}
}

func (c *clock) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = 0
	c.frozen = time.Time{}
}
