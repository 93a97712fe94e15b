package broken

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"time"
)

// A session belongs to the user who started it. 2026-07-28 has none.
type session struct {
	owner, token, revision string
	ended                  bool
	used                   time.Time
}

// sessionIdle is how long an unused session lasts.
const sessionIdle = 24 * time.Hour

// session returns an active session, or nil.
func (s *Server) session(id string) *session {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.sessions[id]
	if found == nil || found.ended && !s.has(KeepsEndedSessions) {
		return nil
	}
	if now.Sub(found.used) > sessionIdle && !s.has(NeverExpiresSessions) {
		return nil
	}
	found.used = now
	return found
}

// beginSession starts a session and names it in the answer.
func (s *Server) beginSession(w http.ResponseWriter, r *http.Request, caller claims, revision string) {
	id := rand.Text()
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.has(CountsSessions):
		id = fmt.Sprintf("session-%d", len(s.sessions))
	case s.has(SessionsAreNotASCII):
		id = "é" + id
	case s.has(AdoptsSessions) && r.Header.Get("Mcp-Session-Id") != "":
		id = r.Header.Get("Mcp-Session-Id")
	}
	if s.has(SessionsPushOutOthers) {
		s.endLeastRecent()
	}
	s.sessions[id] = &session{owner: caller.Subject, token: s.readCredentials(r).token, revision: revision, used: now}
	w.Header().Set("Mcp-Session-Id", id)
}

// mostSessions bounds the sessions of all users at a server with SessionsPushOutOthers. A check
// reaches it on a busy machine too.
const mostSessions = 30

// endLeastRecent ends the least recently used session if there are too many. The caller holds the
// lock.
func (s *Server) endLeastRecent() {
	var oldest string
	for id, candidate := range s.sessions {
		if oldest == "" || candidate.used.Before(s.sessions[oldest].used) {
			oldest = id
		}
	}
	if len(s.sessions) >= mostSessions {
		delete(s.sessions, oldest)
	}
}

// joinSession returns the session of a request, or refuses the request.
func (s *Server) joinSession(w http.ResponseWriter, r *http.Request, caller claims) *session {
	id := r.Header.Get("Mcp-Session-Id")
	if id == "" && !s.has(MissingSessionIs404) {
		http.Error(w, "no session", http.StatusBadRequest)
		return nil
	}
	found := s.session(id)
	switch {
	case found == nil:
	case s.letsPass(r), s.has(SharesSessions), caller.Subject == found.owner && !s.has(BindsSessionsToTokens),
		s.readCredentials(r).token == found.token:
		return found
	}
	http.Error(w, "unknown session", http.StatusNotFound)
	return nil
}

// endSession answers a DELETE.
func (s *Server) endSession(w http.ResponseWriter, r *http.Request, caller claims) {
	if found := s.joinSession(w, r, caller); found != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		found.ended = true
		w.WriteHeader(http.StatusNoContent)
	}
}

// isTokenOf reports whether the session of a request began with a token.
func (s *Server) isTokenOf(r *http.Request, token string) bool {
	found := s.session(r.Header.Get("Mcp-Session-Id"))
	return found != nil && found.token == token
}
