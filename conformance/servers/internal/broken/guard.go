package broken

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
)

// Faults of a guard that does not cover every message, and of refusals that are not all alike.
const (
	AcceptsNotifications   Fault = "accepts a notification in a session without a token"
	AcceptsResponses       Fault = "accepts a response in a session without a token"
	GuardsListedMethods    Fault = "serves prompts/list without a token"
	ChallengesPostsOnly    Fault = "sends no challenge to GET and DELETE"
	QuotesInDescriptions   Fault = "quotes a word in error_description"
	OmitsMetadataAtTokens  Fault = "omits resource_metadata if the request has a token"
	OpensResources         Fault = "lets a token without the scope read resources"
	OmitsErrorOfExpiry     Fault = "names no error for an expired token"
	ListsToolsInForbidden  Fault = "lists its tools in a 403"
	ReflectsOrigins        Fault = "lets pages of any origin read answers with cookies"
	CallsKeyIDs            Fault = "calls the address in the key ID of a token"
	BreaksOnOddities       Fault = "breaks on an empty list of critical headers"
	RefusesManyConnections Fault = "refuses requests while there are many connections"
)

// An unguarded body is of a message that passed without credentials.
type unguarded struct{ io.ReadCloser }

// passesUnguarded reports whether a fault lets a message without credentials pass.
func (s *Server) passesUnguarded(r *http.Request) bool {
	isGuarded := !s.has(AcceptsNotifications) && !s.has(AcceptsResponses) && !s.has(GuardsListedMethods)
	isFresh := r.Header.Get("Mcp-Session-Id") == "" && r.Header.Get("Mcp-Protocol-Version") != newest
	if _, passed := r.Body.(unguarded); passed {
		return true // the session is asked too, when the body is gone
	}
	if isGuarded || isFresh || r.Method != http.MethodPost || r.Header.Get("Authorization") != "" {
		return false
	}
	if method, id := readMethod(r); !s.isOpen(method, id) {
		return false
	}
	r.Body = unguarded{r.Body}
	return true
}

// readMethod returns the method and the ID of a message, and leaves the body unread.
func readMethod(r *http.Request) (method string, id json.RawMessage) {
	var message struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
	}
	_ = json.Unmarshal(bodyOf(r), &message) // the method of anything else is empty
	return message.Method, message.ID
}

// needsNoScope reports whether a fault lets a message pass without the scope.
func (s *Server) needsNoScope(r *http.Request) bool {
	if s.has(EnforcesNoScope) || s.has(GatesToolsOnly) {
		return true
	}
	if r.Method != http.MethodPost {
		return false
	}
	switch method, _ := readMethod(r); {
	case s.has(OpensResources):
		return method == "resources/read"
	case s.has(HidesToolsByScope):
		callsHidden := bytes.Contains(bodyOf(r), []byte(`"name":"`+hiddenTool+`"`))
		return method == "tools/list" || method == "tools/call" && callsHidden
	}
	return false
}

// isOpen reports whether a fault leaves messages of a kind unguarded.
func (s *Server) isOpen(method string, id json.RawMessage) bool {
	switch {
	case s.has(AcceptsNotifications):
		return id == nil && strings.HasPrefix(method, "notifications/")
	case s.has(AcceptsResponses):
		return id != nil && method == ""
	}
	return method == "prompts/list"
}

// manyConnections is how many connections a server with RefusesManyConnections bears.
const manyConnections = 300

// countConnection counts the open connections.
func (s *Server) countConnection(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.connections.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.connections.Add(-1)
	}
}
