package broken

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"time"
)

// A session of the handshake revisions belongs to the user that began it.
type session struct {
	owner, token, revision string
	ended                  bool
	used                   time.Time
}

// sessionIdle is how long a session lasts that nobody uses.
const sessionIdle = 24 * time.Hour

// session is one that is under way, or nil.
func (t *Server) session(id string) *session {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	found := t.sessions[id]
	if found == nil || found.ended && !t.has(KeepsEndedSessions) {
		return nil
	}
	if now.Sub(found.used) > sessionIdle && !t.has(KeepsSessionsForEver) {
		return nil
	}
	found.used = now
	return found
}

// beginSession makes a session and names it in the answer.
func (t *Server) beginSession(w http.ResponseWriter, r *http.Request, caller claims, revision string) {
	id, now := rand.Text(), t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.has(CountsSessions):
		id = fmt.Sprintf("session-%d", len(t.sessions))
	case t.has(SessionsAreNotASCII):
		id = "é" + id
	case t.has(AdoptsSessions) && r.Header.Get("Mcp-Session-Id") != "":
		id = r.Header.Get("Mcp-Session-Id")
	}
	if t.has(SessionsPushOutOthers) {
		t.pushOut()
	}
	t.sessions[id] = &session{owner: caller.Subject, token: t.readCredentials(r).token, revision: revision, used: now}
	w.Header().Set("Mcp-Session-Id", id)
}

// mostSessions bounds the sessions of all users at a server with SessionsPushOutOthers. A check
// reaches it on a busy machine too.
const mostSessions = 30

// pushOut ends the session that was not used for longest when there are too many. The lock is held.
func (t *Server) pushOut() {
	var oldest string
	for id, one := range t.sessions {
		if oldest == "" || one.used.Before(t.sessions[oldest].used) {
			oldest = id
		}
	}
	if len(t.sessions) >= mostSessions {
		delete(t.sessions, oldest)
	}
}

// joinSession finds the session of a request, or refuses.
func (t *Server) joinSession(w http.ResponseWriter, r *http.Request, caller claims) *session {
	id := r.Header.Get("Mcp-Session-Id")
	if id == "" && !t.has(MissingSessionIs404) {
		http.Error(w, "no session", http.StatusBadRequest)
		return nil
	}
	found := t.session(id)
	switch {
	case found == nil:
	case t.waved(r), t.has(SharesSessions), caller.Subject == found.owner && !t.has(BindsSessionsToTokens),
		t.readCredentials(r).token == found.token:
		return found
	}
	http.Error(w, "no such session", http.StatusNotFound)
	return nil
}

// endSession answers a DELETE.
func (t *Server) endSession(w http.ResponseWriter, r *http.Request, caller claims) {
	if found := t.joinSession(w, r, caller); found != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		found.ended = true
		w.WriteHeader(http.StatusNoContent)
	}
}
