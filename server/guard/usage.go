package guard

import (
	"container/list"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// The defaults of Limits.
const (
	DefaultCallerSessions = 100
	DefaultCallerStreams  = 32
	DefaultCallerCalls    = 32
	DefaultTotalSessions  = 10_000
	DefaultTotalStreams   = 4096
	DefaultTotalCalls     = 1024
	DefaultBatchAnswers   = 64 << 20
)

// Limits bound what one caller, and what all callers together, have at once. A caller is a
// [Principal], whatever the client. Zero means the default, a negative value no bound.
//
// A stream or call beyond a limit is refused: with 429 where the limit is the caller's, else with
// 503. A session beyond the caller's limit ends the caller's own session that was not used for
// longest.
type Limits struct {
	// CallerSessions and TotalSessions count the sessions that the handler has begun and that were
	// used within an hour.
	CallerSessions, TotalSessions int
	// CallerStreams and TotalStreams count listening streams.
	CallerStreams, TotalStreams int
	// CallerCalls and TotalCalls count running requests. A batch is one. Messages that want no
	// answer have a count of their own with the same bound, so that they can end or answer what
	// runs. Messages that are still being sent have one that is eight times as large. The bytes of
	// messages that are being sent or run are bounded, too: a caller has 2 MiB for each of
	// CallerCalls, all have 512 KiB for each of TotalCalls. The first 64 KiB of a message are free.
	CallerCalls, TotalCalls int
	// BatchAnswers is how many bytes of answers a batch may have. Messages after that are not run.
	BatchAnswers int64
}

// Filled returns the limits with the defaults in place of zeros.
func (l Limits) Filled() Limits {
	for _, one := range []struct {
		limit  *int
		normal int
	}{
		{&l.CallerSessions, DefaultCallerSessions}, {&l.TotalSessions, DefaultTotalSessions},
		{&l.CallerStreams, DefaultCallerStreams}, {&l.TotalStreams, DefaultTotalStreams},
		{&l.CallerCalls, DefaultCallerCalls}, {&l.TotalCalls, DefaultTotalCalls},
	} {
		if *one.limit == 0 {
			*one.limit = one.normal
		}
	}
	if l.BatchAnswers == 0 {
		l.BatchAnswers = DefaultBatchAnswers
	}
	return l
}

// A use is a kind of thing that a caller has at once.
type use int

const (
	useBody    use = iota // that is being read, so what it asks for is not known
	useMessage            // that wants no answer
	useCall
	useStream
	uses // how many there are
)

// bodiesPerCall is how many bodies may be read for each call that may run. A caller who sends
// slowly must not keep its own calls from running.
const bodiesPerCall = 8

// How many bytes of bodies may be in memory for each call that may run: of one caller, and of all.
// They are fewer than the calls could bring, and far more than usual messages have.
const (
	bytesPerCall      = 2 << 20
	bytesPerTotalCall = 512 << 10
)

// of returns the limits of a use: of one caller and of all, with the keys of .env that set them.
func (l *Limits) of(kind use) (caller, total int, callerKey, totalKey string) {
	if kind == useStream {
		return l.CallerStreams, l.TotalStreams, "MCP_CALLER_STREAMS", "MCP_TOTAL_STREAMS"
	}
	caller = l.CallerCalls
	total = l.TotalCalls
	if kind == useBody {
		caller, total = bodiesPerCall*caller, bodiesPerCall*total
	}
	return caller, total, "MCP_CALLER_CALLS", "MCP_TOTAL_CALLS"
}

// limitError says which limit was reached.
type limitError struct {
	status  int
	what    string
	limit   int64
	setting string
}

func (e *limitError) Error() string {
	return fmt.Sprintf("%s, at most %d at once: end some, or try again later", e.what, e.limit)
}

// names of what is counted, by use and by whose limit it is.
var (
	sayCallers = [uses]string{
		"too many messages of this caller that are being sent",
		"too many messages of this caller", "too many running calls of this caller", "too many streams of this caller",
	}
	sayTotals = [uses]string{
		"too many messages that are being sent", "too many messages", "too many running calls", "too many streams",
	}
)

// A Usage counts what callers have at once. Guards with the same Usage bound a caller's use of all
// of them together.
type Usage struct {
	limits Limits

	mu       sync.Mutex
	callers  map[Principal]*callerUsage
	total    [uses]int
	bytes    int64     // of bodies
	pending  int       // sessions that are being begun
	sessions list.List // of *session, in the order of their last use
}

// callerUsage is what one caller has.
type callerUsage struct {
	principal Principal
	running   [uses]int
	bytes     int64 // of bodies
	pending   int
	sessions  list.List // of *session, in the order of their last use
	byID      map[sessionKey]*session
}

// NewUsage makes a Usage for guards to share.
func NewUsage(limits Limits) *Usage {
	return &Usage{limits: limits.Filled(), callers: map[Principal]*callerUsage{}}
}

// maxIdleCallers bounds the callers that are remembered although they have nothing.
const maxIdleCallers = 1024

// caller is the entry of a caller. The lock is held.
func (u *Usage) caller(who Principal) *callerUsage {
	found := u.callers[who]
	if found == nil {
		found = &callerUsage{principal: who}
		u.callers[who] = found
	}
	return found
}

// tidy forgets a caller who has nothing. The lock is held.
func (u *Usage) tidy(c *callerUsage) {
	if len(u.callers) > maxIdleCallers && c.running == [uses]int{} && c.pending == 0 && c.sessions.Len() == 0 {
		delete(u.callers, c.principal)
	}
}

// A slot is one thing that a caller has. The Usage's lock holds for it.
type slot struct {
	of    *callerUsage // nil where nothing is held
	kind  use
	bytes int64 // of the body
}

// take fills an empty slot, or says which limit forbids it.
func (u *Usage) take(s *slot, who Principal, kind use) *limitError {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.fill(s, who, kind)
}

// change makes another kind of a slot. Where a limit forbids that, the slot stays as it is.
func (u *Usage) change(s *slot, who Principal, kind use) *limitError {
	u.mu.Lock()
	defer u.mu.Unlock()
	var other slot
	if reached := u.fill(&other, who, kind); reached != nil {
		return reached
	}
	other.bytes = s.bytes
	s.bytes = 0
	u.empty(s)
	*s = other
	return nil
}

// takeBytes counts bytes of the body of a slot, or says which limit forbids it. One body of the
// size least has room in any case.
func (u *Usage) takeBytes(s *slot, bytes, least int64) *limitError {
	u.mu.Lock()
	defer u.mu.Unlock()
	if s.of == nil {
		return nil
	}
	perCaller := max(bytesPerCall*int64(u.limits.CallerCalls), least)
	total := max(bytesPerTotalCall*int64(u.limits.TotalCalls), least)
	switch {
	case u.limits.CallerCalls >= 0 && s.of.bytes+bytes > perCaller:
		return &limitError{http.StatusTooManyRequests, "too many bytes of messages of this caller", perCaller,
			"MCP_CALLER_CALLS"}
	case u.limits.TotalCalls >= 0 && u.bytes+bytes > total:
		return &limitError{http.StatusServiceUnavailable, "too many bytes of messages", total, "MCP_TOTAL_CALLS"}
	}
	s.bytes += bytes
	s.of.bytes += bytes
	u.bytes += bytes
	return nil
}

// move gives a call's slot to work that goes on after it. Work whose call is over needs a slot of
// its own.
func (u *Usage) move(from, to *slot, who Principal) *limitError {
	u.mu.Lock()
	defer u.mu.Unlock()
	if from.of == nil || from.kind != useCall {
		return u.fill(to, who, useCall)
	}
	*to, *from = *from, slot{}
	return nil
}

// give empties a slot, if there is something in it.
func (u *Usage) give(s *slot) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.empty(s)
}

func (u *Usage) fill(s *slot, who Principal, kind use) *limitError {
	perCaller, total, callerKey, totalKey := u.limits.of(kind)
	c := u.caller(who)
	switch {
	case perCaller >= 0 && c.running[kind] >= perCaller:
		return &limitError{http.StatusTooManyRequests, sayCallers[kind], int64(perCaller), callerKey}
	case total >= 0 && u.total[kind] >= total:
		u.tidy(c)
		return &limitError{http.StatusServiceUnavailable, sayTotals[kind], int64(total), totalKey}
	}
	c.running[kind]++
	u.total[kind]++
	s.of = c
	s.kind = kind
	return nil
}

func (u *Usage) empty(s *slot) {
	if s.of == nil {
		return
	}
	s.of.running[s.kind]--
	u.total[s.kind]--
	s.of.bytes -= s.bytes
	u.bytes -= s.bytes
	u.tidy(s.of)
	*s = slot{}
}

// sessionIdle is how long a session counts that nobody uses.
const sessionIdle = time.Hour

// A session is one that the handler has begun.
type session struct {
	key        sessionKey
	owner      *callerUsage
	opener     *Identity
	used       time.Time
	own, among *list.Element // in the owner's list, and in that of all
	limit      string        // the setting that it gives way for, once it does
}

type sessionKey struct {
	guard *Guard
	id    string // the handler's
}

// reserve makes room for a session that is about to begin. It returns the sessions that have to end
// for it.
func (u *Usage) reserve(who Principal, now time.Time) (ended []*session, reached *limitError) {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.caller(who)
	if ended, reached = u.makeRoom(c, now); reached != nil {
		u.tidy(c)
		return nil, reached
	}
	c.pending++
	u.pending++
	return ended, nil
}

// release takes back a reservation.
func (u *Usage) release(who Principal) {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.caller(who)
	c.pending--
	u.pending--
	u.tidy(c)
}

// used notes that a session was begun or used. One that was not known, such as another replica's,
// may make others end.
func (u *Usage) used(key sessionKey, caller *Identity, now time.Time) (ended []*session) {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.caller(caller.Principal)
	if known := c.byID[key]; known != nil {
		known.used = now
		c.sessions.MoveToBack(known.own)
		u.sessions.MoveToBack(known.among)
		return nil
	}
	ended, reached := u.makeRoom(c, now)
	if reached != nil {
		u.tidy(c)
		return nil // it is not counted, and not refused: it was there before
	}
	opener := *caller
	opener.Groups = nil
	opener.GroupsIncomplete = true // there may be many, and sessions are kept for long
	s := &session{key: key, owner: c, opener: &opener, used: now}
	s.own = c.sessions.PushBack(s)
	s.among = u.sessions.PushBack(s)
	if c.byID == nil {
		c.byID = map[sessionKey]*session{}
	}
	c.byID[key] = s
	return ended
}

// over notes that a session has ended.
func (u *Usage) over(key sessionKey, who Principal) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if c := u.callers[who]; c != nil && c.byID[key] != nil {
		u.forget(c.byID[key])
	}
}

// makeRoom leaves room for one more session of a caller. The caller's own sessions give way first.
// If it has none, those of the caller with the most do. An only session stays. The lock is held.
func (u *Usage) makeRoom(c *callerUsage, now time.Time) (ended []*session, reached *limitError) {
	for oldest := u.sessions.Front(); oldest != nil; oldest = u.sessions.Front() {
		if now.Sub(oldest.Value.(*session).used) < sessionIdle {
			break
		}
		u.forget(oldest.Value.(*session))
	}
	for {
		why := u.full(c)
		if why == nil {
			return ended, nil
		}
		victim := c
		if c.sessions.Len() == 0 && why.status == http.StatusServiceUnavailable {
			victim = u.most()
		}
		if victim == nil || victim.sessions.Len() == 0 {
			return nil, why
		}
		oldest := victim.sessions.Front().Value.(*session)
		u.forget(oldest)
		oldest.limit = why.setting
		ended = append(ended, oldest)
	}
}

// full says which limit leaves no room for one more session of a caller, or nil. The lock is held.
func (u *Usage) full(c *callerUsage) *limitError {
	switch own, all := u.limits.CallerSessions, u.limits.TotalSessions; {
	case own >= 0 && c.sessions.Len()+c.pending >= own:
		return &limitError{http.StatusTooManyRequests, "too many sessions of this caller", int64(own),
			"MCP_CALLER_SESSIONS"}
	case all >= 0 && u.sessions.Len()+u.pending >= all:
		return &limitError{http.StatusServiceUnavailable, "too many sessions", int64(all), "MCP_TOTAL_SESSIONS"}
	}
	return nil
}

// most is the caller with the most sessions, or nil where nobody has two.
func (u *Usage) most() *callerUsage {
	var most *callerUsage
	for _, c := range u.callers {
		if c.sessions.Len() > 1 && (most == nil || c.sessions.Len() > most.sessions.Len()) {
			most = c
		}
	}
	return most
}

func (u *Usage) forget(s *session) {
	s.owner.sessions.Remove(s.own)
	u.sessions.Remove(s.among)
	delete(s.owner.byID, s.key)
	u.tidy(s.owner)
}
