package broken

import (
	"net/http"
	"strings"
)

// serveIntrospection tells a client with a secret about its own tokens (RFC 7662).
func (s *Issuer) serveIntrospection(w http.ResponseWriter, r *http.Request) {
	form, problem := s.readForm(w, r)
	var found *client
	if problem == nil && !s.has(IntrospectsForAnybody) {
		found, problem = s.authenticate(w, r, form)
	}
	if problem == nil && found != nil && found.secret == "" {
		problem = &refusal{http.StatusUnauthorized, "invalid_client"}
	}
	if problem != nil {
		s.writeRefusal(w, problem)
		return
	}
	known := s.accesses[form.Get("token")]
	isActive := known != nil && !known.grant.ended && s.now().Before(known.expires)
	if known != nil && s.has(IntrospectsEndedTokens) {
		isActive = true
	}
	isOwn := isActive && (known.grant.client == found || s.has(IntrospectsForAllClients) || found == nil)
	if !isOwn {
		s.write(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	answer := map[string]any{
		"active":    true,
		"client_id": known.grant.client.id,
		"scope":     strings.Join(known.scopes, " "),
		"aud":       known.resource,
		"exp":       known.expires.Unix(),
	}
	s.write(w, http.StatusOK, answer)
}

// serveUserinfo refuses all tokens, because none is for this endpoint.
func (s *Issuer) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	known := s.accesses[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	if known != nil && s.has(TellsUserToAnyToken) {
		s.write(w, http.StatusOK, map[string]any{"sub": "a user"})
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	w.WriteHeader(http.StatusUnauthorized)
}
