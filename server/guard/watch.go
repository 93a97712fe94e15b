package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"mcpentra/server/token"
)

const (
	// DefaultMaxCall is how long a call may run where Config.MaxCall is 0.
	DefaultMaxCall = 10 * time.Minute
	// DefaultRecheck is how often the token of what is running is judged anew where Config.Recheck
	// is 0.
	DefaultRecheck = 30 * time.Second
	// DefaultBodyTimeout is how long a caller may take to send a body where Config.BodyTimeout is
	// 0.
	DefaultBodyTimeout = 15 * time.Second
	// DefaultAnswerTimeout is how long a caller may take to read a piece of an answer where
	// Config.AnswerTimeout is 0.
	DefaultAnswerTimeout = 15 * time.Second
)

// What ends a request before its handler has returned: the causes (context.Cause) of the contexts
// that handlers get.
var (
	// ErrTokenExpired ends a listening stream when its token is not accepted any more. It is a
	// context.DeadlineExceeded.
	ErrTokenExpired = fmt.Errorf("the access token has expired: %w", context.DeadlineExceeded)
	// ErrMaxCall ends a call after Config.MaxCall. It is a context.DeadlineExceeded.
	ErrMaxCall = fmt.Errorf("the call ran longer than this server allows: %w", context.DeadlineExceeded)
	// ErrRevoked ends a request whose token was found bad for another reason than its age.
	ErrRevoked = errors.New("the access token is not good any more")
)

// A call is a request that was let in, and the context of the handler that runs it: it names the
// caller, and bounds the request in time. A listening stream ends when its token is not accepted
// any more; a call may finish, within MaxCall. Both end when the token is found bad for another
// reason than its age, such as a revocation. Every Recheck, the guard asks Verify again.
//
// A context of package context is inside, so that those made of it cost no goroutine. Its cause is
// one of the errors above, or context.Canceled when the caller has gone.
type call struct {
	context.Context
	guard    *Guard
	raw      string
	caller   *Identity
	header   http.Header // what the handler sees
	cancel   context.CancelCauseFunc
	deadline time.Time // zero where there is none
	late     error     // the cause after the deadline

	// The guard's looks.mu holds for these.
	over  bool
	timer *time.Timer // for the deadline, once it comes before the next look
	next  place       // among the looks

	slot slot // what the caller has of it; its Usage's lock holds for it
}

// begin is the request that the handler gets.
func (c *call) begin(r *http.Request, listening bool) *http.Request {
	limit := c.guard.maxCall
	limited := c.guard.maxCall > 0
	c.late = ErrMaxCall
	if listening {
		end := c.caller.end()
		limit = end.Sub(c.guard.now())
		limited = !end.IsZero()
		c.late = ErrTokenExpired
	}
	c.start(r.Context(), limit, limited)
	inner := r.WithContext(c)
	inner.Header = c.header
	inner.URL = strippedURL(r.URL)
	inner.Trailer = nil // it came after what was judged, and could say anything
	return inner
}

// start makes the context. The limit counts from now.
func (c *call) start(outer context.Context, limit time.Duration, limited bool) {
	now := time.Now()
	c.Context, c.cancel = context.WithCancelCause(outer)
	if limited {
		c.deadline = now.Add(limit)
	}
	c.wait(now)
}

// Detached returns a context for work on a request that goes on when the handler of the request has
// returned, such as a call over the HTTP+SSE transport, which is answered elsewhere. It has the
// values of ctx, and it ends as a call's would: MaxCall from now, when the token turns bad, or with
// the function that comes back, which has to be called when the work is done. Where ctx comes from
// no guard, only that function ends it. The work counts as a running call. If the caller has too
// many, the context has ended already, and its cause says so.
func Detached(ctx context.Context) (context.Context, context.CancelFunc) {
	outer := context.WithoutCancel(ctx)
	c, guarded := ctx.Value(callKey{}).(*call)
	if !guarded {
		return context.WithCancel(outer)
	}
	x := &exchange{call: call{guard: c.guard, raw: c.raw, caller: c.caller, late: ErrMaxCall}}
	x.next.whose = x
	reached := c.guard.usage.move(&c.slot, &x.slot, c.caller.Principal)
	x.start(outer, c.guard.maxCall, c.guard.maxCall > 0)
	if reached != nil {
		c.guard.logLimit(nil, c.caller, reached)
		x.cancel(reached)
	}
	return &x.call, x.call.end
}

// callKey is where [Detached] finds the call.
type callKey struct{}

// wait is for the deadline or the next look, whichever comes first.
func (c *call) wait(now time.Time) {
	g := c.guard
	g.looks.mu.Lock()
	defer g.looks.mu.Unlock()
	rest := c.deadline.Sub(now)
	switch {
	case c.over:
	case !c.deadline.IsZero() && rest <= 0:
		c.cancel(c.late)
	case !c.deadline.IsZero() && (g.recheck < 0 || rest <= g.recheck):
		c.timer = time.AfterFunc(rest, func() { c.cancel(c.late) })
	case g.recheck >= 0:
		g.looks.add(&c.next, now)
	}
}

// look judges the token anew.
func (c *call) look() {
	_, err := c.guard.verify(c, c.raw)
	var invalid *token.InvalidError
	var forbidden *ForbiddenError
	if errors.As(err, &invalid) && invalid.Reason != token.Expired || errors.As(err, &forbidden) {
		c.guard.log.Info("a running request ends", "reason", err.Error())
		c.cancel(ErrRevoked)
		return
	}
	c.wait(time.Now())
}

// end is for when the handler has returned.
func (c *call) end() {
	looks := &c.guard.looks
	looks.mu.Lock()
	c.over = true
	looks.remove(&c.next)
	if c.timer != nil {
		c.timer.Stop()
	}
	looks.mu.Unlock()
	c.guard.usage.give(&c.slot)
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
	if err != nil && errors.Is(context.Cause(c.Context), context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return err
}

// Value knows the caller, and for one key the token.
func (c *call) Value(key any) any {
	switch {
	case key == (contextKey{}):
		return c.caller
	case key == (callKey{}):
		return c
	case c.guard.tokenKey != nil && key == c.guard.tokenKey:
		return c.raw
	}
	return c.Context.Value(key)
}
