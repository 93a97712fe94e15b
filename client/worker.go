package client

import (
	"context"
	"errors"
	"sync"
)

// A worker runs one job at a time for many callers, such as a sign-in that they all wait for. A job
// has its own goroutine and runs as long as one caller waits. A caller whose time runs out does not
// end it: libraries send that request again, and a second sign-in would ask the person twice.
type worker struct {
	lock chan struct{} // holds one value while no caller and no job has the lock

	mu        sync.Mutex
	callers   int                     // that wait for the lock or the job
	cancel    context.CancelCauseFunc // ends the running job; nil if none runs
	committed bool                    // the job runs to its end, even without callers
}

func newWorker() *worker {
	w := &worker{lock: make(chan struct{}, 1)}
	w.release()
	return w
}

// acquire waits for the lock. Several requests at once thus start one sign-in.
func (w *worker) acquire(ctx context.Context) error {
	w.enter()
	select {
	case <-w.lock:
		w.leave(context.WithoutCancel(ctx))
		return nil
	case <-ctx.Done():
		w.leave(ctx)
		return ctx.Err()
	}
}

func (w *worker) release() { w.lock <- struct{}{} }

// wait waits until no job runs.
func (w *worker) wait(ctx context.Context) error {
	select {
	case <-w.lock:
		w.release()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *worker) enter() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.callers++
}

// leave ends the job if the last caller has left. It reports whether the job goes on.
func (w *worker) leave(ctx context.Context) (goesOn bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.callers--
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		w.committed = true
	}
	if w.cancel == nil || w.callers > 0 || w.committed {
		return true
	}
	w.cancel(context.Cause(ctx))
	return false
}

// begin returns the context of a job. It has the values of the caller's context.
func (w *worker) begin(ctx context.Context) context.Context {
	job, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancel = cancel
	w.committed = false
	return job
}

func (w *worker) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancel(nil)
	w.cancel = nil
}

// commit makes the job run to its end, even if all callers give up. The job calls it before it
// sends a code or refresh token: these work once, so the answer must not be lost.
func (w *worker) commit() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.committed = true
}

// runAlone runs a job with the lock held, and waits for its result. A caller that gives up returns
// at once if the job goes on without it.
func runAlone[T any](ctx context.Context, w *worker, job func(ctx context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	w.enter()
	if err := w.acquire(ctx); err != nil {
		w.leave(ctx)
		var none T
		return none, err
	}
	working := w.begin(ctx)
	done := make(chan result, 1)
	go func() {
		r := result{err: errors.New("client: a callback ended its goroutine")}
		defer func() {
			w.end()
			w.release()
			done <- r
		}()
		r.value, r.err = job(working)
	}()
	var r result
	select {
	case r = <-done:
		w.leave(context.WithoutCancel(ctx))
		return r.value, r.err
	case <-ctx.Done():
	}
	if w.leave(ctx) {
		return r.value, ctx.Err()
	}
	r = <-done // it ends soon
	return r.value, r.err
}
