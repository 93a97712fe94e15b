package broken

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"
)

// Faults in the state that a caller carries from one round of a call to the next.
const (
	SharesRequestState    Fault = "lets any user continue a call"
	AcceptsAlteredState   Fault = "compares only the beginning of request state"
	AcceptsOtherArguments Fault = "accepts request state with other arguments"
	KeepsRequestState     Fault = "never expires request state"
	AcceptsStateTwice     Fault = "accepts request state twice"
	AsksForPasswords      Fault = "asks for a password in a form"
	SendsPeopleInClear    Fault = "sends people to a page without TLS"
	SendsTokensInAddress  Fault = "sends people to a page with a token in its address"
)

// askTool asks for input before it repeats its marker.
const askTool = "ask"

// roundLimit is how long request state is valid.
const roundLimit = 10 * time.Minute

// A round is a call that waits for input.
type round struct {
	owner, marker string
	asked         time.Time
	used          bool
}

// ask answers a call of the tool: with questions in the first round, and with the result in the
// second.
func (s *Server) ask(w http.ResponseWriter, request *message, caller claims) {
	if len(request.Params.Answers) == 0 {
		respond(
			w,
			request,
			map[string]any{
				"resultType":    "input_required",
				"inputRequests": s.inputRequests(),
				"requestState":  s.beginRound(request, caller),
			},
		)
		return
	}
	s.mu.Lock()
	found := s.findRound(request.Params.State)
	good := found != nil &&
		(found.owner == caller.Subject || s.has(SharesRequestState)) &&
		(found.marker == request.Params.Arguments.Marker || s.has(AcceptsOtherArguments)) &&
		(!found.used || s.has(AcceptsStateTwice)) &&
		(time.Since(found.asked) < roundLimit || s.has(KeepsRequestState))
	if good {
		found.used = true
	}
	s.mu.Unlock()
	if !good && !s.has(IgnoresRequestState) {
		fail(w, http.StatusOK, request, -32602, "unknown request state")
		return
	}
	respondText(w, request, request.Params.Arguments.Marker, false)
}

func (s *Server) inputRequests() map[string]any {
	field := "name"
	page := "https://people.example/form?id=" + rand.Text()
	switch {
	case s.has(AsksForPasswords):
		field = "password"
	case s.has(SendsPeopleInClear):
		page = "http://people.example/form"
	case s.has(SendsTokensInAddress):
		page += "&access_token=" + rand.Text()
	}
	return map[string]any{
		"name": map[string]any{
			"method": "elicitation/create",
			"params": map[string]any{
				"mode":    "form",
				"message": "Who is it for?",
				"requestedSchema": map[string]any{
					"type":       "object",
					"properties": map[string]any{field: map[string]any{"type": "string"}},
				},
			},
		},
		"page": map[string]any{
			"method": "elicitation/create",
			"params": map[string]any{
				"mode":          "url",
				"message":       "See the terms",
				"url":           page,
				"elicitationId": rand.Text(),
			},
		},
	}
}

func (s *Server) beginRound(request *message, caller claims) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := rand.Text()
	s.rounds[state] = &round{owner: caller.Subject, marker: request.Params.Arguments.Marker, asked: time.Now()}
	return state
}

// findRound returns the round of a state. The caller holds the lock.
func (s *Server) findRound(state string) *round {
	const beginning = 6
	if s.has(AcceptsAlteredState) && len(state) > beginning {
		for known, found := range s.rounds {
			if strings.HasPrefix(known, state[:beginning]) {
				return found
			}
		}
	}
	return s.rounds[state]
}

// expireRound lets a state expire.
func (s *Server) expireRound(_ context.Context, state string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.rounds[state]; found != nil {
		found.asked = found.asked.Add(-roundLimit)
	}
	return nil
}
