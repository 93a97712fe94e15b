package broken

import "net/http"

// Faults in messages into another user's session.
const (
	TakesForeignNotifications Fault = "takes another user's notifications into a session"
	TakesForeignResponses     Fault = "takes another user's responses into a session"
)

// takesForeign returns the session of a message if the server does not ask whose it is.
func (s *Server) takesForeign(r *http.Request, request *message) *session {
	isNotification := len(request.ID) == 0 && request.Method != ""
	if isNotification && s.has(TakesForeignNotifications) || request.isResponse() && s.has(TakesForeignResponses) {
		return s.session(r.Header.Get("Mcp-Session-Id"))
	}
	return nil
}
