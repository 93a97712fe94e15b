package broken

import (
	"bytes"
	"io"
	"net/http"
)

// maxLeft bounds a body, in bytes.
const maxLeft = 8 << 20

// survives reads the body of a request. It reports false for a session with an earlier body whose
// caller left before its end.
func (s *Server) survives(r *http.Request) bool {
	session := r.Header.Get("Mcp-Session-Id")
	if session == "" || r.ContentLength <= 0 || r.Header.Get("Authorization") == "" {
		return true
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxLeft))
	if err != nil {
		s.left.Store(session, true)
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	_, isLeft := s.left.Load(session)
	return !isLeft
}
