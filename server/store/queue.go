package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// maxBatch bounds the writes of one transaction.
const maxBatch = 256

// A queue holds the writes that wait for a transaction. While one transaction is written to disk,
// the writes for the next one gather. So many concurrent writes wait for few disk flushes.
type queue struct {
	mu      sync.Mutex
	waiting []*pendingWrite
	closed  bool
	writing chan struct{} // closed when no write waits any more; nil while none waits
}

// A pendingWrite is the change of one caller.
type pendingWrite struct {
	ctx   context.Context
	apply func(*transaction) error
	err   error         // set before done is closed
	done  chan struct{} // closed after the commit, or after the write has failed
}

var errClosed = errors.New("store: it is closed")

// write applies a change in a transaction and waits until that is on disk. What apply has changed
// before it returns ErrNotFound or ErrConflict counts. It may run again after the transaction has
// failed, and even after write has returned because of its context.
func (f *file) write(ctx context.Context, apply func(*transaction) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	added := &pendingWrite{ctx: ctx, apply: apply, done: make(chan struct{})}
	if !f.enqueue(added) {
		return errClosed
	}
	select {
	case <-added.done:
		return added.err
	case <-ctx.Done():
		return fmt.Errorf("store: %w", ctx.Err())
	}
}

// enqueue adds a write, and starts a goroutine for it unless one is running.
func (f *file) enqueue(added *pendingWrite) bool {
	f.queue.mu.Lock()
	defer f.queue.mu.Unlock()
	if f.queue.closed {
		return false
	}
	f.waiting = append(f.waiting, added)
	if f.writing == nil {
		f.writing = make(chan struct{})
		go f.writeAll()
	}
	return true
}

// next removes the writes of the next transaction from the queue. It returns none at the end.
func (f *file) next() []*pendingWrite {
	f.queue.mu.Lock()
	defer f.queue.mu.Unlock()
	if len(f.waiting) == 0 {
		close(f.writing)
		f.writing = nil
		return nil
	}
	batch := f.waiting
	f.waiting = nil
	if len(batch) > maxBatch {
		f.waiting = batch[maxBatch:]
		batch = batch[:maxBatch:maxBatch]
	}
	return batch
}

// writeAll runs transactions until no write waits.
func (f *file) writeAll() {
	for {
		// Writes gather until the readers that wait have read.
		f.turn <- struct{}{}
		batch := f.next()
		if batch == nil {
			f.endTurn()
			return
		}
		err := f.runTogether(batch)
		if err != nil {
			// One of them may be the reason. Each gets its own error.
			for _, pending := range batch {
				pending.err = f.runTogether([]*pendingWrite{pending})
			}
		}
		f.endTurn()
		for _, pending := range batch {
			close(pending.done)
		}
	}
}

// endWriting refuses further writes and waits for those in the queue.
func (f *file) endWriting() {
	f.queue.mu.Lock()
	f.queue.closed = true
	writing := f.writing
	f.queue.mu.Unlock()
	if writing != nil {
		<-writing
	}
}
