package guard

import (
	"sync"
	"time"
)

// A queue holds requests about which something has to be done once they have waited for as long as
// all others here: they stand in the order in which that is due. One timer does for all of them. It
// is set only where none runs, so what does not wait for long costs a lock and no more; a deadline
// of its own for each request would cost a system call now and then.
type queue struct {
	pause time.Duration
	act   func(*exchange) // runs while the lock is held, and must not wait

	mu          sync.Mutex
	first, last *place
	timer       *time.Timer
	armed       bool
}

// A place is where a request stands in a queue.
type place struct {
	whose          *exchange
	due            time.Time
	queued         bool
	previous, next *place
}

// enter puts a request last.
func (q *queue) enter(p *place, now time.Time) {
	q.mu.Lock()
	q.add(p, now)
	q.mu.Unlock()
}

// leave takes a request out, if it is still there: once it is out, nothing is done about it.
func (q *queue) leave(p *place) {
	q.mu.Lock()
	q.remove(p)
	q.mu.Unlock()
}

// add is enter where the lock is held, and remove is leave.
func (q *queue) add(p *place, now time.Time) {
	p.due = now.Add(q.pause)
	p.queued = true
	p.previous = q.last
	p.next = nil
	if q.last == nil {
		q.first = p
	} else {
		q.last.next = p
	}
	q.last = p
	switch {
	case q.armed:
		return
	case q.timer == nil:
		q.timer = time.AfterFunc(q.pause, q.tick)
	default:
		q.timer.Reset(q.pause)
	}
	q.armed = true
}

func (q *queue) remove(p *place) {
	if !p.queued {
		return
	}
	if p.previous == nil {
		q.first = p.next
	} else {
		p.previous.next = p.next
	}
	if p.next == nil {
		q.last = p.previous
	} else {
		p.next.previous = p.previous
	}
	p.queued = false
	p.previous = nil
	p.next = nil
}

// tick acts on those that are due.
func (q *queue) tick() {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for q.first != nil && !q.first.due.After(now) {
		p := q.first
		q.remove(p)
		q.act(p.whose)
	}
	if q.armed = q.first != nil; q.armed {
		q.timer.Reset(q.first.due.Sub(now))
	}
}
