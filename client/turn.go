package client

import (
	"context"
	"errors"
	"sync"
)

// A turn is the work of one goroutine that gets a token for all callers. It goes on as long as a
// caller waits for its token. A caller that runs out of time does not end it: libraries send such a
// request again, and a second sign-in would ask the person twice.
type turn struct {
	mu      sync.Mutex
	callers int                     // that wait for a token
	cancel  context.CancelCauseFunc // ends the work under way, nil where there is none
	kept    bool                    // the work goes on without callers
}

func (u *turn) enter() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.callers++
}

// leave ends the work if this was the last caller. It reports whether the work goes on.
func (u *turn) leave(ctx context.Context) (goesOn bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.callers--
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		u.kept = true
	}
	if u.cancel == nil || u.callers > 0 || u.kept {
		return true
	}
	u.cancel(context.Cause(ctx))
	return false
}

// begin returns the context of the work for a caller, with the values of the caller's own.
func (u *turn) begin(ctx context.Context) context.Context {
	working, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	u.mu.Lock()
	defer u.mu.Unlock()
	u.cancel = cancel
	u.kept = false
	return working
}

func (u *turn) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.cancel(nil)
	u.cancel = nil
}

// keep has the work go on until it is done, whoever gives up. A code or refresh token that was sent
// is of no use a second time, so the answer must not be lost.
func (u *turn) keep() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.kept = true
}

// exclusively does what one caller at a time may do for a Transport, in a goroutine that outlives a
// caller who gives up if others need what it does.
func exclusively[T any](ctx context.Context, t *Transport, do func(ctx context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	t.turn.enter()
	if err := t.acquire(ctx); err != nil {
		t.turn.leave(ctx)
		var none T
		return none, err
	}
	working := t.turn.begin(ctx)
	done := make(chan result, 1)
	go func() {
		got := result{err: errors.New("client: a callback ended its goroutine")}
		defer func() {
			t.turn.end()
			t.release()
			done <- got
		}()
		got.value, got.err = do(working)
	}()
	var got result
	select {
	case got = <-done:
		t.turn.leave(context.WithoutCancel(ctx))
		return got.value, got.err
	case <-ctx.Done():
	}
	if t.turn.leave(ctx) {
		return got.value, ctx.Err()
	}
	got = <-done // it ends soon
	return got.value, got.err
}

// Finish waits until no token is on its way any more. A program that ends before loses the answer
// to a code or refresh token that it has sent, so that the person has to sign in again. It returns
// the context's error if that ends first.
func (t *Transport) Finish(ctx context.Context) error {
	select {
	case <-t.lock:
		t.release()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
