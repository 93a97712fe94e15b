package broken

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Conforming variants. A server with one of them differs from the server without faults, and keeps
// every rule in its own way. No check may go red for it. To add one, name it and simulate it here,
// and add it to conforming in the tests.
const (
	AnswersOthersWith501    Fault = "answers methods other than POST, GET and DELETE with 501"
	AnswersOthersWith404    Fault = "answers methods other than POST with 404"
	HidesMetadataFromOthers Fault = "omits resource_metadata for a foreign host"
	AllowsAllHeaders        Fault = "allows pages the headers authorization and *"
	IsItsOrigin             Fault = "describes its origin as the resource, at the root"
	SignsWithoutResource    Fault = "signs metadata without the resource"
	RefusesChunkExtensions  Fault = "refuses chunk extensions"
	IgnoresByteOrderMarks   Fault = "ignores a byte order mark in a token"
	ReadsExpiryAsText       Fault = "reads an expiry time that is text or very large"
	HasManyAddresses        Fault = "answers under every address of its machine"
	AllowsOwnPages          Fault = "allows pages of its machine at any port"
	ParsesSlowly            Fault = "takes long for each comma in a header"
	AnswersPingsSlowly      Fault = "takes a tenth of a second for each ping"
	IgnoresKeyIDs           Fault = "reads the last of two header members, and tries all keys whatever the ID"
	LogsAddresses           Fault = "logs the address of each request"
	RefusesModernSessions   Fault = "refuses a session ID in 2026-07-28"
	IgnoresRequestState     Fault = "goes on without its request state"
	NamesToolsLikeErrors    Fault = "has a tool called error, and errors in JSON"
	ServesMachinesOnly      Fault = "has an authorization server for machines only"
)

// refusesMethod answers a method that the endpoint lacks.
func (s *Server) refusesMethod(w http.ResponseWriter, r *http.Request) bool {
	isListed := r.Method == http.MethodGet || r.Method == http.MethodDelete
	switch {
	case r.Method == http.MethodPost, isListed && !s.has(AnswersOthersWith404):
		return false
	case s.has(AnswersOthersWith501):
		w.WriteHeader(http.StatusNotImplemented)
	case s.has(AnswersOthersWith404):
		http.NotFound(w, r)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
	return true
}

// isOwnAddress reports whether a Host is another spelling of the server's address.
func (s *Server) isOwnAddress(host string) bool {
	port := s.server.Listener.Addr().String()
	port = port[strings.LastIndexByte(port, ':'):]
	name := strings.TrimSuffix(host, port)
	return name == "2130706433" || name == "0.0.0.0" || name == "[::1]" || name == "127.0.0.1"
}

// isOwnPage reports whether an Origin is a page of the server's machine.
func isOwnPage(origin string) bool {
	address, err := url.Parse(origin)
	return err == nil && (address.Hostname() == "localhost" || address.Hostname() == "127.0.0.1")
}

// parseSlowly takes a time for each comma.
func parseSlowly(ctx context.Context, text string) {
	pause(ctx, 20*time.Microsecond*time.Duration(strings.Count(text, ",")))
}

// pause waits, unless the request ends before.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// withLastMembers removes all members of a JSON object that occur again.
func withLastMembers(text []byte) []byte {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &members); err != nil || !utf8.Valid(text) {
		return text
	}
	single, err := json.Marshal(members)
	if err != nil {
		return text
	}
	return single
}

// withoutMark removes a byte order mark.
func withoutMark(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) }

// expiryOf returns the time that a variant reads from an expiry time that is text.
func (s *Server) expiryOf(value any) any {
	text, isText := value.(string)
	if number, err := strconv.ParseFloat(text, 64); isText && err == nil && s.has(ReadsExpiryAsText) {
		return number
	}
	return value
}
