package broken

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
)

// Faults of the state that a server's tools hand out.
const (
	SharesState           Fault = "lets any user at state"
	EndsStateForStrangers Fault = "ends state when another user asks for it"
	CountsHandles         Fault = "counts its handles"
	TakesHandlesForTokens Fault = "takes a handle in place of a token"
)

// The tools that hand out state and take it.
const (
	makeTool = "make"
	useTool  = "use"
)

// makeState makes state for a caller and returns its handle.
func (t *Server) makeState(caller claims) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	handle := rand.Text()
	if t.has(CountsHandles) {
		handle = fmt.Sprintf("handle-%d", len(t.handles))
	}
	t.handles[handle] = caller.Subject
	return handle
}

// useState reports whether a caller gets at the state of a handle.
func (t *Server) useState(caller claims, handle string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	owner, found := t.handles[handle]
	allowed := found && (owner == caller.Subject || t.has(SharesState))
	if !allowed && t.has(EndsStateForStrangers) {
		delete(t.handles, handle)
	}
	return allowed
}

// takesHandle answers a call with a handle and a bad token, for a broken server, and reports
// whether it did.
func (t *Server) takesHandle(w http.ResponseWriter, r *http.Request) bool {
	if !t.has(TakesHandlesForTokens) || t.readCredentials(r).token != "this.is.not-a-token" ||
		r.Method != http.MethodPost {
		return false
	}
	body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	r.Body = io.NopCloser(bytes.NewReader(body))
	request, err := t.decodeMessage(body)
	if err != nil || request.Params.Name != useTool {
		return false
	}
	t.mu.Lock()
	_, found := t.handles[request.Params.Arguments.Handle]
	t.mu.Unlock()
	if found {
		respondText(w, request, "used", false)
	}
	return found
}

// respondText answers with a tool's result.
func respondText(w http.ResponseWriter, request *message, text string, isError bool) {
	respond(
		w,
		request,
		map[string]any{"content": []any{map[string]string{"type": "text", "text": text}}, "isError": isError},
	)
}
