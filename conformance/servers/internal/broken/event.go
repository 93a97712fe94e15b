package broken

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Faults in the events of streams, and in what the challenge says about the metadata.
const (
	ReplaysEverything   Fault = "replays the events of all users to a client that resumes"
	SendsTokensInEvents Fault = "sends the caller's token in a log message"
	SendsTokensInLogs   Fault = "sends the caller's token in a log message of the request that asks for it"
	AnnouncesNowhere    Fault = "names an address without metadata in the challenge"
	NamesNoScopes       Fault = "names its scopes neither in the challenge nor in the metadata"
)

// An event tells a user about a run of the tool. Its ID is its number.
type event struct {
	id     int
	owner  string
	marker string
}

// maxEvents bounds the events that the server keeps for clients that resume.
const maxEvents = 1000

// keepEvent numbers an event and keeps it. The caller holds the lock.
func (s *Server) keepEvent(owner, marker string) event {
	s.lastEvent++
	made := event{s.lastEvent, owner, marker}
	s.events = append(s.events, made)
	if len(s.events) > maxEvents {
		s.events = s.events[1:]
	}
	return made
}

// missedEvents returns the kept events of a user after one.
func (s *Server) missedEvents(owner string, after int) []event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var missed []event
	for _, kept := range s.events {
		if kept.id > after && (kept.owner == owner || s.has(ReplaysEverything)) {
			missed = append(missed, kept)
		}
	}
	return missed
}

// respondWithLog answers a call that asks for log messages: first with one, then with the result.
func (s *Server) respondWithLog(w http.ResponseWriter, r *http.Request, request *message, text string) {
	logged := event{marker: "called"}
	if s.has(SendsTokensInLogs) {
		logged.marker += " with " + s.readCredentials(r).token
	}
	result := map[string]any{"content": []any{map[string]string{"type": "text", "text": text}}}
	body, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": json.RawMessage(request.ID), "result": result})
	w.Header().Set("Content-Type", "text/event-stream")
	logged.write(w)
	fmt.Fprintf(w, "data: %s\n\n", body)
}
