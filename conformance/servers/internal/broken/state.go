package broken

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
)

// Faults in the state that a server's tools hand out.
const (
	SharesState            Fault = "lets any user use state"
	DeletesStateForOthers  Fault = "deletes state when another user asks for it"
	CountsHandles          Fault = "counts its handles"
	AcceptsHandlesAsTokens Fault = "accepts a handle in place of a token"
)

// The tools that make state and use it.
const (
	makeTool = "make"
	useTool  = "use"
)

// makeState makes state for a caller and returns its handle.
func (s *Server) makeState(caller claims) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	handle := rand.Text()
	if s.has(CountsHandles) {
		handle = fmt.Sprintf("handle-%d", len(s.handles))
	}
	s.handles[handle] = caller.Subject
	return handle
}

// useState reports whether a caller may use the state of a handle.
func (s *Server) useState(caller claims, handle string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	owner, found := s.handles[handle]
	allowed := found && (owner == caller.Subject || s.has(SharesState))
	if !allowed && s.has(DeletesStateForOthers) {
		delete(s.handles, handle)
	}
	return allowed
}

// acceptsHandle answers a call with a handle and a bad token if the server has the fault, and
// reports whether it did.
func (s *Server) acceptsHandle(w http.ResponseWriter, r *http.Request) bool {
	if !s.has(AcceptsHandlesAsTokens) || s.readCredentials(r).token != "this.is.not-a-token" ||
		r.Method != http.MethodPost {
		return false
	}
	body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	r.Body = io.NopCloser(bytes.NewReader(body))
	request, err := s.decodeMessage(body)
	if err != nil || request.Params.Name != useTool {
		return false
	}
	s.mu.Lock()
	_, found := s.handles[request.Params.Arguments.Handle]
	s.mu.Unlock()
	if found {
		respondText(w, request, "used", false)
	}
	return found
}

// respondText answers with the result of a tool.
func respondText(w http.ResponseWriter, request *message, text string, isError bool) {
	respond(
		w,
		request,
		map[string]any{"content": []any{map[string]string{"type": "text", "text": text}}, "isError": isError},
	)
}
