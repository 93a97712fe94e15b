package broken

import (
	"crypto/rand"
	"net/http"
	"strings"
	"time"
)

// Faults of the state that callers carry from one round of a request to the next.
const (
	SharesRequestState   Fault = "lets any user go on with a request"
	TakesAlteredState    Fault = "looks at the beginning of request state only"
	FitsAnyRequest       Fault = "takes request state with other arguments"
	KeepsRequestState    Fault = "keeps request state for ever"
	TakesRequestTwice    Fault = "takes request state twice"
	AsksForPasswords     Fault = "asks for a password in a form"
	SendsPeopleInClear   Fault = "sends people to a page without TLS"
	SendsTokensInAddress Fault = "sends people to a page with a token in its address"
)

// askTool asks back before it repeats its marker.
const askTool = "ask"

// roundLimit is how long request state is good.
const roundLimit = 10 * time.Minute

// A round is what a request waits with that asked back.
type round struct {
	owner, marker string
	asked         time.Time
	used          bool
}

// ask answers a call of the tool: in the first round with what it wants to know, and in the second
// with the result.
func (t *Server) ask(w http.ResponseWriter, request *message, caller claims) {
	if len(request.Params.Answers) == 0 {
		respond(
			w,
			request,
			map[string]any{
				"resultType":    "input_required",
				"inputRequests": t.inputRequests(),
				"requestState":  t.beginRound(request, caller),
			},
		)
		return
	}
	t.mu.Lock()
	found := t.findRound(request.Params.State)
	good := found != nil &&
		(found.owner == caller.Subject || t.has(SharesRequestState)) &&
		(found.marker == request.Params.Arguments.Marker || t.has(FitsAnyRequest)) &&
		(!found.used || t.has(TakesRequestTwice)) &&
		(time.Since(found.asked) < roundLimit || t.has(KeepsRequestState))
	if good {
		found.used = true
	}
	t.mu.Unlock()
	if !good {
		fail(w, http.StatusOK, request, -32602, "no such request state")
		return
	}
	respondText(w, request, request.Params.Arguments.Marker, false)
}

func (t *Server) inputRequests() map[string]any {
	field := "name"
	page := "https://people.example/form?id=" + rand.Text()
	switch {
	case t.has(AsksForPasswords):
		field = "password"
	case t.has(SendsPeopleInClear):
		page = "http://people.example/form"
	case t.has(SendsTokensInAddress):
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

func (t *Server) beginRound(request *message, caller claims) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	state := rand.Text()
	t.rounds[state] = &round{owner: caller.Subject, marker: request.Params.Arguments.Marker, asked: time.Now()}
	return state
}

// findRound finds what belongs to a state. The lock is held.
func (t *Server) findRound(state string) *round {
	const beginning = 6
	if t.has(TakesAlteredState) && len(state) > beginning {
		for known, found := range t.rounds {
			if strings.HasPrefix(known, state[:beginning]) {
				return found
			}
		}
	}
	return t.rounds[state]
}

// expireRound lets a state get too old.
func (t *Server) expireRound(state string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if found := t.rounds[state]; found != nil {
		found.asked = found.asked.Add(-roundLimit)
	}
}
