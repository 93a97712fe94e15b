package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"mcpentra/server/identity"
	"mcpentra/server/token"
)

// Defaults of Config.
const (
	DefaultMaxCall       = 10 * time.Minute
	DefaultRecheck       = 30 * time.Second
	DefaultBodyTimeout   = 15 * time.Second
	DefaultAnswerTimeout = 15 * time.Second
)

// Causes (context.Cause) of a handler's context that the guard ended.
var (
	// ErrTokenExpired ends a listening stream when its token expires. It is a
	// context.DeadlineExceeded.
	ErrTokenExpired = fmt.Errorf("the access token has expired: %w", context.DeadlineExceeded)
	// ErrMaxCall ends a call after Config.MaxCall. It is a context.DeadlineExceeded.
	ErrMaxCall = fmt.Errorf("the call ran longer than this server allows: %w", context.DeadlineExceeded)
	// ErrRevoked ends a request whose token became invalid for another reason than its age.
	ErrRevoked = errors.New("the access token is not good any more")
)

// A call is the context of the handler that runs a request. It names the caller and bounds the
// request in time. A listening stream ends when its token expires; another request may outlive its
// token, but not MaxCall. Both end when the guard, which asks Verify again after every Recheck,
// finds that the token was revoked.
//
// The embedded context is one of package context, so contexts derived from a call cost no
// goroutine. The cause is one of the errors above, or context.Canceled if the client has gone.
type call struct {
	context.Context
	guard    *Guard
	raw      string
	caller   *identity.Caller
	header   http.Header // what the handler sees
	cancel   context.CancelCauseFunc
	deadline time.Time // zero means no deadline
	late     error     // the cause after the deadline

	// These are protected by the guard's rechecks.mu.
	ended       bool
	timer       *time.Timer // for a deadline before the next recheck
	nextRecheck entry

	slot slot // what the call uses; protected by its Usage's lock
}

// innerRequest makes the request that the handler gets.
func (c *call) innerRequest(r *http.Request, listening bool) *http.Request {
	limit := c.guard.maxCall
	limited := c.guard.maxCall > 0
	c.late = ErrMaxCall
	if listening {
		end := tokenEnd(c.caller)
		limit = end.Sub(c.guard.now())
		limited = !end.IsZero()
		c.late = ErrTokenExpired
	}
	c.startContext(r.Context(), limit, limited)
	inner := r.WithContext(c)
	inner.Header = c.header
	inner.URL = withoutToken(r.URL)
	inner.Trailer = nil // it arrives after the checks, and could say anything
	return inner
}

// startContext makes the context. The limit counts from now.
func (c *call) startContext(outer context.Context, limit time.Duration, limited bool) {
	now := time.Now()
	c.Context, c.cancel = context.WithCancelCause(outer)
	if limited {
		c.deadline = now.Add(limit)
	}
	c.schedule(now)
}

// Detached returns a context for work that goes on after the handler of its request has returned,
// for example a call over the HTTP+SSE transport, whose answer takes another connection. The
// context has the values of ctx. It ends MaxCall from now, when the token is revoked, or when the
// returned function is called. Call that function when the work is done.
//
// The work counts as a running call. If the caller has too many, the context has ended already, and
// its cause says so. If ctx does not come from a guard, only the returned function ends the work.
func Detached(ctx context.Context) (context.Context, context.CancelFunc) {
	outer := context.WithoutCancel(ctx)
	c, guarded := ctx.Value(callKey{}).(*call)
	if !guarded {
		return context.WithCancel(outer)
	}
	a := &admission{call: call{guard: c.guard, raw: c.raw, caller: c.caller, late: ErrMaxCall}}
	a.nextRecheck.owner = a
	reached := c.guard.usage.transfer(&c.slot, &a.slot, c.caller.Principal)
	a.startContext(outer, c.guard.maxCall, c.guard.maxCall > 0)
	if reached != nil {
		c.guard.logLimit(nil, c.caller, reached)
		a.cancel(reached)
	}
	return &a.call, a.call.end
}

// callKey is the context key under which [Detached] finds the call.
type callKey struct{}

// schedule waits for the deadline or the next recheck, whichever comes first.
func (c *call) schedule(now time.Time) {
	g := c.guard
	g.rechecks.mu.Lock()
	defer g.rechecks.mu.Unlock()
	rest := c.deadline.Sub(now)
	switch {
	case c.ended:
	case !c.deadline.IsZero() && rest <= 0:
		c.cancel(c.late)
	case !c.deadline.IsZero() && (g.recheck < 0 || rest <= g.recheck):
		c.timer = time.AfterFunc(rest, func() { c.cancel(c.late) })
	case g.recheck >= 0:
		g.rechecks.addLocked(&c.nextRecheck, now)
	}
}

// recheck verifies the token again.
func (c *call) recheck() {
	_, err := c.guard.verify(c, c.raw)
	var invalid *token.InvalidError
	var forbidden *ForbiddenError
	if errors.As(err, &invalid) && invalid.Reason != token.Expired || errors.As(err, &forbidden) {
		c.guard.log.Info("a running request ends", "reason", err.Error())
		c.cancel(ErrRevoked)
		return
	}
	c.schedule(time.Now())
}

// end releases the call after the handler has returned.
func (c *call) end() {
	rechecks := &c.guard.rechecks
	rechecks.mu.Lock()
	c.ended = true
	rechecks.removeLocked(&c.nextRecheck)
	if c.timer != nil {
		c.timer.Stop()
	}
	rechecks.mu.Unlock()
	c.guard.usage.release(&c.slot)
	c.cancel(context.Canceled)
}

// Deadline returns the earlier of the call's deadline and the outer context's.
func (c *call) Deadline() (time.Time, bool) {
	outer, found := c.Context.Deadline()
	if found && (c.deadline.IsZero() || outer.Before(c.deadline)) {
		return outer, true
	}
	return c.deadline, !c.deadline.IsZero()
}

// Err returns context.DeadlineExceeded if the call reached its deadline.
func (c *call) Err() error {
	err := c.Context.Err()
	if err != nil && errors.Is(context.Cause(c.Context), context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return err
}

// Value returns the caller, the call and, under Config.TokenKey, the token.
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
