package broken

import (
	"encoding/base64"
	"net/http"
)

// Faults in repeating parts of tokens.
const (
	RepeatsTokenBeginnings Fault = "repeats the first bytes of a bad token in a header"
	SendsTokensInCookies   Fault = "sends a bad token back in a cookie"
	RepeatsSignatures      Fault = "repeats the last bytes of a good token in a header"
	RepeatsSubjects        Fault = "repeats the subject of an unverified token"
)

// echo repeats a part of a token in the head of an answer.
func (s *Server) echo(w http.ResponseWriter, token string, good bool) {
	const beginning = 20
	n := min(len(token), beginning)
	switch {
	case good && s.has(RepeatsSignatures):
		w.Header().Set("X-Token", token[len(token)-n:])
	case good:
	case s.has(RepeatsTokenBeginnings):
		w.Header().Set("X-Token", token[:n])
	case s.has(SendsTokensInCookies):
		value := base64.URLEncoding.EncodeToString([]byte("token " + token))
		http.SetCookie(w, &http.Cookie{Name: "last", Value: value})
	case s.has(RepeatsSubjects):
		if parsed, _ := s.parse(token); parsed != nil {
			subject, _ := parsed.claims["sub"].(string)
			w.Header().Set("X-Subject", subject)
		}
	}
}
