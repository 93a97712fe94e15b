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

// watch bounds a request in time. A listening stream ends when its token does; a call that is running
// may finish, within MaxCall. Both end when the token is found bad for another reason than its age,
// such as a revocation, which is looked at every Recheck.
func (g *Guard) watch(r *http.Request, raw string, caller *Identity, listening bool) (watched *http.Request, release func()) {
	limit, limited := g.maxCall, g.maxCall > 0
	if listening {
		limit, limited = caller.Expiry.Sub(g.now()), !caller.Expiry.IsZero()
	}
	ctx, stop := r.Context(), context.CancelFunc(func() {})
	if limited {
		ctx, stop = context.WithTimeout(ctx, limit)
	}
	if g.recheck < 0 {
		return r.WithContext(ctx), stop
	}
	a := &again{guard: g, raw: raw, stop: stop}
	a.ctx, a.end = context.WithCancelCause(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.timer = time.AfterFunc(g.recheck, a.look)
	return r.WithContext(a.ctx), a.release
}

// again judges the token of a running request every Recheck until it is bad or the request has ended.
type again struct {
	guard *Guard
	raw   string
	ctx   context.Context
	end   context.CancelCauseFunc
	stop  context.CancelFunc

	mu    sync.Mutex
	timer *time.Timer
	over  bool
}

func (a *again) look() {
	_, err := a.guard.verify(a.ctx, a.raw)
	var invalid *token.InvalidError
	var forbidden *ForbiddenError
	if errors.As(err, &invalid) && invalid.Reason != token.Expired || errors.As(err, &forbidden) {
		a.guard.log.Info("a running request ends", "reason", err.Error())
		a.end(errRevoked)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over {
		a.timer.Reset(a.guard.recheck)
	}
}

func (a *again) release() {
	a.mu.Lock()
	a.over = true
	a.timer.Stop()
	a.mu.Unlock()
	a.end(context.Canceled)
	a.stop()
}
