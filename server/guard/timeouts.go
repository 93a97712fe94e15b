package guard

import (
	"sync"
	"time"
)

// timeouts is a queue of requests that all wait for the same time, so the first in it is due first.
// One timer serves them all. It is set only if none runs yet, so a request that waits only briefly
// costs a lock and no timer. A deadline for each request would cost system calls.
type timeouts struct {
	after    time.Duration
	onExpire func(*admission) // runs while the lock is held, and must not block

	mu          sync.Mutex
	first, last *entry
	timer       *time.Timer
	running     bool // the timer is set
}

// An entry is a request in a queue of timeouts.
type entry struct {
	owner          *admission
	due            time.Time
	queued         bool
	previous, next *entry
}

// add puts a request at the end.
func (t *timeouts) add(e *entry, now time.Time) {
	t.mu.Lock()
	t.addLocked(e, now)
	t.mu.Unlock()
}

// remove takes a request out if it is still in the queue. It does not expire then.
func (t *timeouts) remove(e *entry) {
	t.mu.Lock()
	t.removeLocked(e)
	t.mu.Unlock()
}

func (t *timeouts) addLocked(e *entry, now time.Time) {
	e.due = now.Add(t.after)
	e.queued = true
	e.previous = t.last
	e.next = nil
	if t.last == nil {
		t.first = e
	} else {
		t.last.next = e
	}
	t.last = e
	switch {
	case t.running:
		return
	case t.timer == nil:
		t.timer = time.AfterFunc(t.after, t.expire)
	default:
		t.timer.Reset(t.after)
	}
	t.running = true
}

func (t *timeouts) removeLocked(e *entry) {
	if !e.queued {
		return
	}
	if e.previous == nil {
		t.first = e.next
	} else {
		e.previous.next = e.next
	}
	if e.next == nil {
		t.last = e.previous
	} else {
		e.next.previous = e.previous
	}
	e.queued = false
	e.previous = nil
	e.next = nil
}

// expire calls onExpire for the requests that are due, and sets the timer for the next one.
func (t *timeouts) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for t.first != nil && !t.first.due.After(now) {
		e := t.first
		t.removeLocked(e)
		t.onExpire(e.owner)
	}
	t.running = t.first != nil
	if t.running {
		t.timer.Reset(t.first.due.Sub(now))
	}
}
