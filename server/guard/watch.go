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
	// bodyTimeout bounds how long a caller may take to send a body.
	bodyTimeout = 30 * time.Second
)

// errRevoked is why a request ends whose token has become bad.
var errRevoked = errors.New("the access token is not good any more")

// watch bounds a request in time. A listening stream ends when its token does; a call that is running
// may finish, within MaxCall. Both end when the token is found bad for another reason than its age,
// such as a revocation, which is looked at every Recheck.
func (g *Guard) watch(r *http.Request, raw string, caller *Identity, listening bool) (*http.Request, context.CancelFunc) {
	limit := g.maxCall
	if listening {
		limit = 0
		if !caller.Expiry.IsZero() {
			limit = caller.Expiry.Sub(g.now())
		}
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	release := func() { cancel(context.Canceled) }
	if limit > 0 || listening && !caller.Expiry.IsZero() {
		timed, stop := context.WithTimeout(ctx, limit)
		ctx, release = timed, func() { stop(); cancel(context.Canceled) }
	}
	if g.recheck > 0 {
		stop := g.again(ctx, raw, cancel)
		before := release
		release = func() { stop(); before() }
	}
	return r.WithContext(ctx), release
}

// again judges the token every Recheck until it is bad or the request has ended.
func (g *Guard) again(ctx context.Context, raw string, end context.CancelCauseFunc) (stop func()) {
	var mu sync.Mutex
	var timer *time.Timer
	over := false
	look := func() {
		_, err := g.verify(ctx, raw)
		var invalid *token.InvalidError
		var forbidden *ForbiddenError
		if errors.As(err, &invalid) && invalid.Reason != token.Expired || errors.As(err, &forbidden) {
			g.log.Info("a running request ends", "reason", err.Error())
			end(errRevoked)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !over {
			timer.Reset(g.recheck)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(g.recheck, look)
	return func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		timer.Stop()
	}
}
