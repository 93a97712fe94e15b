package guard

import (
	"container/list"
	"fmt"
	"net/http"
	"sync"
	"time"

	"mcpentra/server/identity"
)

// Defaults of Limits.
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
// [identity.Principal], whatever client it uses. Zero means the default, a negative value no limit.
//
// A stream or call beyond a limit is refused: with 429 if the limit is the caller's, else with 503.
// A session beyond the caller's limit closes the caller's least recently used session.
type Limits struct {
	// CallerSessions and TotalSessions count the sessions that the handler has opened and that were
	// used within an hour.
	CallerSessions, TotalSessions int
	// CallerStreams and TotalStreams count listening streams.
	CallerStreams, TotalStreams int
	// CallerCalls and TotalCalls count running requests. A batch counts once. Three more things are
	// counted separately. Messages without a response have the same limit, so that they can cancel
	// or answer what runs. Messages that are still being sent have a limit eight times as large.
	// The bytes of messages that are being sent or run are limited to 2 MiB for each of
	// CallerCalls, and to 512 KiB for each of TotalCalls; the first 64 KiB of a message are free.
	CallerCalls, TotalCalls int
	// BatchAnswers is how many bytes the answers to a batch may have. Messages after that are not
	// run.
	BatchAnswers int64
}

// WithDefaults returns the limits with the defaults in place of zeros.
func (l Limits) WithDefaults() Limits {
	for _, limit := range []struct {
		value    *int
		standard int
	}{
		{&l.CallerSessions, DefaultCallerSessions},
		{&l.TotalSessions, DefaultTotalSessions},
		{&l.CallerStreams, DefaultCallerStreams},
		{&l.TotalStreams, DefaultTotalStreams},
		{&l.CallerCalls, DefaultCallerCalls},
		{&l.TotalCalls, DefaultTotalCalls},
	} {
		if *limit.value == 0 {
			*limit.value = limit.standard
		}
	}
	if l.BatchAnswers == 0 {
		l.BatchAnswers = DefaultBatchAnswers
	}
	return l
}

// A usageKind is a kind of thing that is counted.
type usageKind int

const (
	kindBody    usageKind = iota // a message that is being read, so its kind is not known yet
	kindMessage                  // a message that asks for no response
	kindCall
	kindStream
	kinds // how many there are
)

// bodiesPerCall is how many bodies may be read for each call that may run. A caller who sends
// slowly must not keep its own calls from running.
const bodiesPerCall = 8

// How many bytes of bodies may be in memory for each call that may run. The calls could bring more,
// but usual messages are far smaller.
const (
	bytesPerCall      = 2 << 20   // of one caller
	bytesPerTotalCall = 512 << 10 // of all callers
)

// forKind returns the limits of a kind, for one caller and for all, and the keys of .env that set
// them.
func (l *Limits) forKind(kind usageKind) (caller, total int, callerKey, totalKey string) {
	if kind == kindStream {
		return l.CallerStreams, l.TotalStreams, "MCP_CALLER_STREAMS", "MCP_TOTAL_STREAMS"
	}
	caller = l.CallerCalls
	total = l.TotalCalls
	if kind == kindBody {
		caller *= bodiesPerCall
		total *= bodiesPerCall
	}
	return caller, total, "MCP_CALLER_CALLS", "MCP_TOTAL_CALLS"
}

// A limitError names the limit that was reached.
type limitError struct {
	status  int
	what    string
	limit   int64
	setting string
}

func (e *limitError) Error() string {
	return fmt.Sprintf("%s, at most %d at once: end some, or try again later", e.what, e.limit)
}

// Texts of limitErrors, by kind.
var (
	textsCaller = [kinds]string{
		"too many messages of this caller that are being sent",
		"too many messages of this caller",
		"too many running calls of this caller",
		"too many streams of this caller",
	}
	textsTotal = [kinds]string{
		"too many messages that are being sent",
		"too many messages",
		"too many running calls",
		"too many streams",
	}
)

// A Usage counts what callers have at once. Guards that share a Usage bound a caller's use of all
// of them together.
type Usage struct {
	limits Limits

	mu       sync.Mutex
	callers  map[identity.Principal]*callerUsage
	running  [kinds]int
	bytes    int64     // of bodies
	reserved int       // sessions that are being opened
	sessions list.List // of *session, in the order of their last use
}

// callerUsage is what one caller has.
type callerUsage struct {
	principal identity.Principal
	running   [kinds]int
	bytes     int64 // of bodies
	reserved  int
	sessions  list.List // of *session, in the order of their last use
	byKey     map[sessionKey]*session
}

// NewUsage makes a Usage for guards to share.
func NewUsage(limits Limits) *Usage {
	return &Usage{limits: limits.WithDefaults(), callers: map[identity.Principal]*callerUsage{}}
}

// maxIdleCallers is how many callers are remembered although they have nothing.
const maxIdleCallers = 1024

// caller returns the entry of a caller. The lock is held.
func (u *Usage) caller(principal identity.Principal) *callerUsage {
	c := u.callers[principal]
	if c == nil {
		c = &callerUsage{principal: principal}
		u.callers[principal] = c
	}
	return c
}

// forgetIdle forgets a caller who has nothing, if there are many callers. The lock is held.
func (u *Usage) forgetIdle(c *callerUsage) {
	idle := c.running == [kinds]int{} && c.reserved == 0 && c.sessions.Len() == 0
	if idle && len(u.callers) > maxIdleCallers {
		delete(u.callers, c.principal)
	}
}

// A slot is one thing that a caller has. It is protected by the Usage's lock.
type slot struct {
	holder *callerUsage // nil if the slot is empty
	kind   usageKind
	bytes  int64 // of the body
}

// acquire fills an empty slot, or returns the limit that forbids it.
func (u *Usage) acquire(s *slot, principal identity.Principal, kind usageKind) *limitError {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.acquireLocked(s, principal, kind)
}

// convert changes the kind of a slot. If a limit forbids that, the slot stays as it is.
func (u *Usage) convert(s *slot, principal identity.Principal, kind usageKind) *limitError {
	u.mu.Lock()
	defer u.mu.Unlock()
	var other slot
	if reached := u.acquireLocked(&other, principal, kind); reached != nil {
		return reached
	}
	other.bytes = s.bytes
	s.bytes = 0
	u.releaseLocked(s)
	*s = other
	return nil
}

// acquireBytes counts bytes of the body of a slot, or returns the limit that forbids it. Every
// limit leaves room for one body of the least size.
func (u *Usage) acquireBytes(s *slot, bytes, least int64) *limitError {
	u.mu.Lock()
	defer u.mu.Unlock()
	if s.holder == nil {
		return nil
	}
	perCaller := max(bytesPerCall*int64(u.limits.CallerCalls), least)
	total := max(bytesPerTotalCall*int64(u.limits.TotalCalls), least)
	switch {
	case u.limits.CallerCalls >= 0 && s.holder.bytes+bytes > perCaller:
		return &limitError{
			status:  http.StatusTooManyRequests,
			what:    "too many bytes of messages of this caller",
			limit:   perCaller,
			setting: "MCP_CALLER_CALLS",
		}
	case u.limits.TotalCalls >= 0 && u.bytes+bytes > total:
		return &limitError{
			status:  http.StatusServiceUnavailable,
			what:    "too many bytes of messages",
			limit:   total,
			setting: "MCP_TOTAL_CALLS",
		}
	}
	s.bytes += bytes
	s.holder.bytes += bytes
	u.bytes += bytes
	return nil
}

// transfer moves a call's slot to work that goes on after the call. If the call has none, the work
// gets a slot of its own.
func (u *Usage) transfer(from, to *slot, principal identity.Principal) *limitError {
	u.mu.Lock()
	defer u.mu.Unlock()
	if from.holder == nil || from.kind != kindCall {
		return u.acquireLocked(to, principal, kindCall)
	}
	*to = *from
	*from = slot{}
	return nil
}

// release empties a slot. An empty slot stays empty.
func (u *Usage) release(s *slot) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.releaseLocked(s)
}

func (u *Usage) acquireLocked(s *slot, principal identity.Principal, kind usageKind) *limitError {
	perCaller, total, callerKey, totalKey := u.limits.forKind(kind)
	c := u.caller(principal)
	switch {
	case perCaller >= 0 && c.running[kind] >= perCaller:
		return &limitError{http.StatusTooManyRequests, textsCaller[kind], int64(perCaller), callerKey}
	case total >= 0 && u.running[kind] >= total:
		u.forgetIdle(c)
		return &limitError{http.StatusServiceUnavailable, textsTotal[kind], int64(total), totalKey}
	}
	c.running[kind]++
	u.running[kind]++
	s.holder = c
	s.kind = kind
	return nil
}

func (u *Usage) releaseLocked(s *slot) {
	if s.holder == nil {
		return
	}
	s.holder.running[s.kind]--
	u.running[s.kind]--
	s.holder.bytes -= s.bytes
	u.bytes -= s.bytes
	u.forgetIdle(s.holder)
	*s = slot{}
}

// sessionIdle is how long a session counts after its last use.
const sessionIdle = time.Hour

// A session is one that the handler has opened.
type session struct {
	key     sessionKey
	owner   *callerUsage
	opener  *identity.Caller
	lastUse time.Time
	inOwner *list.Element // of the owner's list
	inAll   *list.Element // of the list of all sessions
	setting string        // the key of .env whose limit closed it
}

type sessionKey struct {
	guard *Guard
	id    string // the handler's
}

// reserveSession makes room for a session that a request is about to open. It returns the sessions
// that have to be closed for it.
func (u *Usage) reserveSession(principal identity.Principal, now time.Time) (closed []*session, reached *limitError) {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.caller(principal)
	closed, reached = u.makeRoom(c, now)
	if reached != nil {
		u.forgetIdle(c)
		return nil, reached
	}
	c.reserved++
	u.reserved++
	return closed, nil
}

// cancelReservation undoes reserveSession.
func (u *Usage) cancelReservation(principal identity.Principal) {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.caller(principal)
	c.reserved--
	u.reserved--
	u.forgetIdle(c)
}

// touchSession notes that a session was opened or used. It returns the sessions that have to be
// closed for one that was not counted before, such as another replica's.
func (u *Usage) touchSession(key sessionKey, caller *identity.Caller, now time.Time) (closed []*session) {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.caller(caller.Principal)
	if known := c.byKey[key]; known != nil {
		known.lastUse = now
		c.sessions.MoveToBack(known.inOwner)
		u.sessions.MoveToBack(known.inAll)
		return nil
	}
	closed, reached := u.makeRoom(c, now)
	if reached != nil {
		u.forgetIdle(c)
		return nil // the session exists already, so it is not refused and not counted
	}
	opener := *caller
	opener.Groups = nil
	opener.GroupsIncomplete = true // there may be many, and sessions are kept for long
	s := &session{key: key, owner: c, opener: &opener, lastUse: now}
	s.inOwner = c.sessions.PushBack(s)
	s.inAll = u.sessions.PushBack(s)
	if c.byKey == nil {
		c.byKey = map[sessionKey]*session{}
	}
	c.byKey[key] = s
	return closed
}

// removeSession notes that a session has ended.
func (u *Usage) removeSession(key sessionKey, principal identity.Principal) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if c := u.callers[principal]; c != nil && c.byKey[key] != nil {
		u.dropSession(c.byKey[key])
	}
}

// makeRoom drops sessions until a caller may have one more. The caller's own sessions go first. If
// it has none, the sessions of the caller with the most go. No caller loses its only session to
// another. The lock is held.
func (u *Usage) makeRoom(c *callerUsage, now time.Time) (closed []*session, reached *limitError) {
	for oldest := u.sessions.Front(); oldest != nil; oldest = u.sessions.Front() {
		s := oldest.Value.(*session)
		if now.Sub(s.lastUse) < sessionIdle {
			break
		}
		u.dropSession(s)
	}
	for {
		full := u.sessionLimit(c)
		if full == nil {
			return closed, nil
		}
		from := c
		if c.sessions.Len() == 0 && full.status == http.StatusServiceUnavailable {
			from = u.withMostSessions()
		}
		if from == nil || from.sessions.Len() == 0 {
			return nil, full
		}
		oldest := from.sessions.Front().Value.(*session)
		u.dropSession(oldest)
		oldest.setting = full.setting
		closed = append(closed, oldest)
	}
}

// sessionLimit returns the limit that leaves no room for one more session of a caller, or nil. The
// lock is held.
func (u *Usage) sessionLimit(c *callerUsage) *limitError {
	own := u.limits.CallerSessions
	all := u.limits.TotalSessions
	switch {
	case own >= 0 && c.sessions.Len()+c.reserved >= own:
		return &limitError{
			status:  http.StatusTooManyRequests,
			what:    "too many sessions of this caller",
			limit:   int64(own),
			setting: "MCP_CALLER_SESSIONS",
		}
	case all >= 0 && u.sessions.Len()+u.reserved >= all:
		return &limitError{
			status:  http.StatusServiceUnavailable,
			what:    "too many sessions",
			limit:   int64(all),
			setting: "MCP_TOTAL_SESSIONS",
		}
	}
	return nil
}

// withMostSessions returns the caller with the most sessions, or nil if no caller has two.
func (u *Usage) withMostSessions() *callerUsage {
	var most *callerUsage
	for _, c := range u.callers {
		if c.sessions.Len() > 1 && (most == nil || c.sessions.Len() > most.sessions.Len()) {
			most = c
		}
	}
	return most
}

func (u *Usage) dropSession(s *session) {
	s.owner.sessions.Remove(s.inOwner)
	u.sessions.Remove(s.inAll)
	delete(s.owner.byKey, s.key)
	u.forgetIdle(s.owner)
}
