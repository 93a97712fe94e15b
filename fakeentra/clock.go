package fakeentra

import (
	"sync"
	"time"
)

// A clock is Config.Now, which a test can move and stop.
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

// Now returns the time of the fake's clock.
func (f *Fake) Now() time.Time { return f.clock.now() }

// Advance moves the fake's clock forward, or back if by is negative. Codes, tokens and device codes
// expire by this clock. Advance also moves a stopped clock.
func (f *Fake) Advance(by time.Duration) {
	f.clock.mu.Lock()
	defer f.clock.mu.Unlock()
	if !f.clock.frozen.IsZero() {
		f.clock.frozen = f.clock.frozen.Add(by)
		return
	}
	f.clock.ahead += by
}

// Freeze stops the fake's clock at a time.
func (f *Fake) Freeze(at time.Time) {
	f.clock.mu.Lock()
	defer f.clock.mu.Unlock()
	f.clock.frozen = at
}

// Unfreeze starts a stopped clock again, from the time that it shows.
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
