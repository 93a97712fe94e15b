package broken

import (
	"net/http"
	"net/url"
)

const (
	maxClientForm = 64 << 10 // bytes
	maxGuesses    = 10       // of a server that locks clients out
)

// serveToken authenticates clients, and knows no grants.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxClientForm)
	refuse := func(status int, code string) { write(w, status, map[string]string{"error": code}) }
	if err := r.ParseForm(); err != nil {
		refuse(http.StatusBadRequest, "invalid_request")
		return
	}
	id, secret, basic := r.BasicAuth()
	if !basic {
		id = r.PostForm.Get("client_id")
		secret = r.PostForm.Get("client_secret")
	} else if plain, err := url.QueryUnescape(secret); err == nil {
		secret = plain
	}
	s.clients.mu.Lock()
	defer s.clients.mu.Unlock()
	client := s.clients.find(id)
	switch {
	case basic && r.PostForm.Has("client_secret") && !s.has(AcceptsTwoSecrets):
		refuse(http.StatusBadRequest, "invalid_request")
	case client == nil:
		refuse(http.StatusUnauthorized, "invalid_client")
	case s.has(LocksClientsOut) && client.guesses >= maxGuesses:
		refuse(http.StatusTooManyRequests, "temporarily_unavailable")
	case client.secret != secret:
		client.guesses++
		refuse(http.StatusUnauthorized, "invalid_client")
	default:
		refuse(http.StatusBadRequest, "invalid_grant")
	}
}
