package guard

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"mcpentra/server/token"
)

const (
	// DefaultMaxCall is how long a call may run where Config.MaxCall is 0.
	DefaultMaxCall = 10 * time.Minute
	// DefaultRecheck is how often the token of what is running is judged anew where Config.Recheck is
	// 0.
	DefaultRecheck = 30 * time.Second
	// DefaultBodyTimeout is how long a caller may take to send a body where Config.BodyTimeout is 0.
	DefaultBodyTimeout = 15 * time.Second
)

// errRevoked is why a request ends whose token has become bad.
var errRevoked = errors.New("the access token is not good any more")

// A call is a request that was let in, and the context of the handler that runs it: it names the caller, and bounds the request
// in time. A listening stream ends when its token does; a call may finish, within MaxCall. Both end when the token is found bad
// for another reason than its age, such as a revocation, which is looked at every Recheck.
//
// A context of package context is inside, so that those made of it cost no goroutine. After the deadline its cause is
// context.DeadlineExceeded.
type call struct {
	context.Context
	guard    *Guard
	raw      string
	caller   *Identity
	header   http.Header // what the handler sees
	cancel   context.CancelCauseFunc
	deadline time.Time // zero where there is none

	// The guard's running.mu holds for these.
	over           bool
	timer          *time.Timer // for the deadline, once it comes before the next look
	due            time.Time   // of the next look
	queued         bool
	previous, next *call
}

// begin is the request that the handler gets.
func (c *call) begin(r *http.Request, listening bool) *http.Request {
	g := c.guard
	limit, limited := g.maxCall, g.maxCall > 0
	if listening {
		limit, limited = c.caller.Expiry.Sub(g.now()), !c.caller.Expiry.IsZero()
	}
	c.Context, c.cancel = context.WithCancelCause(r.Context())
	now := time.Now()
	if limited {
		c.deadline = now.Add(limit)
	}
	c.wait(now)
	inner := r.WithContext(c)
	inner.Header, inner.URL = c.header, strippedURL(r.URL)
	return inner
}

// wait is for the deadline or the next look, whichever comes first.
func (c *call) wait(now time.Time) {
	g := c.guard
	g.running.mu.Lock()
	defer g.running.mu.Unlock()
	rest := c.deadline.Sub(now)
	switch {
	case c.over:
	case !c.deadline.IsZero() && rest <= 0:
		c.cancel(context.DeadlineExceeded)
	case !c.deadline.IsZero() && (g.recheck < 0 || rest <= g.recheck):
		c.timer = time.AfterFunc(rest, func() { c.cancel(context.DeadlineExceeded) })
	case g.recheck >= 0:
		c.due = now.Add(g.recheck)
		g.running.add(c, g.recheck)
	}
}

// look judges the token anew.
func (c *call) look() {
	_, err := c.guard.verify(c, c.raw)
	var invalid *token.InvalidError
	var forbidden *ForbiddenError
	if errors.As(err, &invalid) && invalid.Reason != token.Expired || errors.As(err, &forbidden) {
		c.guard.log.Info("a running request ends", "reason", err.Error())
		c.cancel(errRevoked)
		return
	}
	c.wait(time.Now())
}

// end is for when the handler has returned.
func (c *call) end() {
	running := &c.guard.running
	running.mu.Lock()
	c.over = true
	running.remove(c)
	if c.timer != nil {
		c.timer.Stop()
	}
	running.mu.Unlock()
	c.cancel(context.Canceled)
}

// Deadline is when the request ends at the latest.
func (c *call) Deadline() (time.Time, bool) {
	if outer, there := c.Context.Deadline(); there && (c.deadline.IsZero() || outer.Before(c.deadline)) {
		return outer, true
	}
	return c.deadline, !c.deadline.IsZero()
}

// Err tells the end of the time from the others.
func (c *call) Err() error {
	err := c.Context.Err()
	if err != nil && context.Cause(c.Context) == context.DeadlineExceeded {
		return context.DeadlineExceeded
	}
	return err
}

// Value knows the caller.
func (c *call) Value(key any) any {
	if key == (contextKey{}) {
		return c.caller
	}
	return c.Context.Value(key)
}

// running are the requests whose tokens will be judged anew, in the order in which that is due: each waits as long as the
// others. One timer does for all of them, and runs only while there are some.
type running struct {
	mu          sync.Mutex
	first, last *call
	timer       *time.Timer
	armed       bool
}

// add puts a call last. The lock is held, as for remove.
func (q *running) add(c *call, pause time.Duration) {
	c.queued, c.previous, c.next = true, q.last, nil
	if q.last == nil {
		q.first = c
	} else {
		q.last.next = c
	}
	q.last = c
	switch {
	case q.armed:
		return
	case q.timer == nil:
		q.timer = time.AfterFunc(pause, q.tick)
	default:
		q.timer.Reset(pause)
	}
	q.armed = true
}

func (q *running) remove(c *call) {
	if !c.queued {
		return
	}
	if c.previous == nil {
		q.first = c.next
	} else {
		c.previous.next = c.next
	}
	if c.next == nil {
		q.last = c.previous
	} else {
		c.next.previous = c.previous
	}
	c.queued, c.previous, c.next = false, nil, nil
}

// tick begins the looks that are due: each on its own, since one may wait for keys.
func (q *running) tick() {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for q.first != nil && !q.first.due.After(now) {
		c := q.first
		q.remove(c)
		go c.look()
	}
	if q.armed = q.first != nil; q.armed {
		q.timer.Reset(q.first.due.Sub(now))
	}
}
