package exchange

import (
	"context"
	"math"
	"sync"
	"time"
)

// Within is context.WithTimeout for a machine that may stand still for seconds. It counts the time
// in which this process runs, so neither side of a connection misses its limit because of a pause.
// The context has no deadline of its own.
func Within(parent context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx := &within{Context: parent, done: make(chan struct{})}
	if err := parent.Err(); err != nil {
		ctx.end(err)
		return ctx, func() {}
	}
	stop := context.AfterFunc(parent, func() { ctx.end(parent.Err()) })
	go func() {
		defer stop()
		if newClock().run(ctx.done, limit) {
			ctx.end(context.DeadlineExceeded)
		}
	}()
	return ctx, func() { ctx.end(context.Canceled) }
}

// within is a context of Within.
type within struct {
	context.Context // the parent
	done            chan struct{}

	mu  sync.Mutex
	err error
}

func (w *within) Done() <-chan struct{} { return w.done }

func (w *within) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// end ends the context with an error. Only the first call has an effect.
func (w *within) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
		close(w.done)
	}
}

// tick is the time between two looks at the clock.
const tick = 20 * time.Millisecond

// A Clock counts the time in which this process runs.
type Clock struct {
	mu      sync.Mutex
	latest  time.Time
	elapsed time.Duration
}

func newClock() *Clock { return &Clock{latest: time.Now()} }

// StartClock starts a clock at zero. It stops when the context ends.
func StartClock(ctx context.Context) *Clock {
	clock := newClock()
	go clock.run(ctx.Done(), math.MaxInt64)
	return clock
}

// run advances the clock until it shows the limit, or done is closed. It reports whether the clock
// shows the limit.
func (c *Clock) run(done <-chan struct{}, limit time.Duration) bool {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for c.Elapsed() < limit {
		select {
		case <-done:
			return false
		case <-ticker.C:
			c.advance(time.Now())
		}
	}
	return true
}

// Elapsed returns the time that the clock counted, to a few hundredths of a second.
func (c *Clock) Elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elapsed
}

// advance counts the time since the latest tick. A late tick means that the process stood still,
// and it counts little.
func (c *Clock) advance(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.elapsed += min(now.Sub(c.latest), 2*tick)
	c.latest = now
}
