package checks

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// sessionMessagesChecks returns the check of server/session about messages that get no response.
func sessionMessagesChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/session/other-user-messages",
				Level:     check.Should,
				Severity:  check.High,
				Revisions: before(check.R20260728),
				Reference: "MCP security best practices, Session Hijacking",
				Sentence: "A session belongs to its user: another user's token sends no notifications and " +
					"responses into it.",
				Covers: []string{"RS-093", "server-session-user-bound"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Run:    sessionOtherUserMessages,
		},
	}
}

// sessionOtherUserMessages sends messages into a session with another user's token. A server
// answers many messages with 202 and ignores them. So a message counts only if the server accepts
// it from the owner, and refuses it in a session that does not exist.
func sessionOtherUserMessages(ctx context.Context, p *bench.Probe) error {
	trial, err := attack.SessionTrial(ctx, p)
	if err != nil {
		return err
	}
	other, err := p.OpenAs(ctx, bench.OtherUser)
	if err != nil {
		return err
	}
	if other.ID == "" {
		return &check.NotApplicable{Reason: "the server keeps no session for the other user"}
	}
	request, err := p.Send(ctx, attack.WithToken(other.Token, trial.Session.Message("tools/list", nil)))
	if err != nil {
		return err
	}
	if request.Succeeded() {
		return &check.Skipped{
			Of:     "server/session/other-user",
			Reason: "the server serves another user's requests in the session",
		}
	}
	intrusion := intrusion{probe: p, own: trial.Session, other: other, none: unknownSession(trial.Session)}
	told := 0
	if err := inputs.TryAll(sessionMessages(p), func(message namedRequest) error {
		tells, err := intrusion.try(ctx, message)
		if tells {
			told++
		}
		return err
	}); err != nil {
		return err
	}
	if err := attack.WantSessionServed(
		ctx, p, trial.Session, trial.Token, "its owner's token, after another user's messages",
	); err != nil {
		return err
	}
	if told == 0 {
		return &check.NotApplicable{
			Reason: "the server treats messages in a session as it treats those in an unknown session",
		}
	}
	return nil
}

// unknownSession returns a session that the server does not know. Its ID has the form of a known
// one: other digits and letters in the second half.
func unknownSession(known *bench.Session) *bench.Session {
	unknown := *known
	id := []byte(known.ID)
	for i := len(id) / 2; i < len(id); i++ {
		switch c := id[i]; {
		case c >= '0' && c <= '8' || c >= 'a' && c <= 'e' || c >= 'A' && c <= 'E':
			id[i]++
		case c == '9', c == 'f', c == 'F':
			id[i]--
		}
	}
	unknown.ID = string(id)
	if unknown.ID == known.ID {
		unknown.ID = rand.Text()
	}
	return &unknown
}

// An intrusion sends messages into another user's session.
type intrusion struct {
	probe            *bench.Probe
	own, other, none *bench.Session
}

// try sends a message as the owner, as another user without the session, and as another user with
// it. It reports whether the first two tell what the last answer means.
func (i *intrusion) try(ctx context.Context, message namedRequest) (tells bool, err error) {
	send := func(token string, session *bench.Session) (*bench.Answer, error) {
		return i.probe.Send(ctx, attack.WithToken(token, inSession(message.request, session)))
	}
	accepted, err := send(i.own.Token, i.own)
	if err != nil || accepted.Status/100 != 2 {
		return false, err
	}
	lost, err := send(i.other.Token, i.none)
	if err != nil || lost.Status/100 == 2 {
		return false, err
	}
	answer, err := send(i.other.Token, i.own)
	if err != nil || answer.Status/100 != 2 {
		return true, err
	}
	return true, i.probe.Insecure(
		"a refusal, as in an unknown session: "+message.name+" of another user",
		fmt.Sprintf("status %d", answer.Status),
	)
}

// sessionMessages returns messages that expect no response.
func sessionMessages(p *bench.Probe) []namedRequest {
	withBody := func(fields map[string]any) bench.Request {
		fields["jsonrpc"] = "2.0"
		body, err := json.Marshal(fields)
		if err != nil {
			panic(err) // the maps hold only JSON values
		}
		request := p.Notification("notifications/initialized")
		request.Body = body
		return request
	}
	notification := func(method string, params map[string]any) namedRequest {
		fields := map[string]any{"method": method}
		if params != nil {
			fields["params"] = params
		}
		return namedRequest{method, withBody(fields)}
	}
	const unknown = "mcp-auth-conformance"
	refused := map[string]any{"code": -1, "message": unknown}
	messages := []namedRequest{
		notification("notifications/cancelled", map[string]any{"requestId": unknown, "reason": unknown}),
		notification("notifications/progress", map[string]any{"progressToken": unknown, "progress": 1}),
		notification("notifications/roots/list_changed", nil),
		notification("notifications/initialized", nil),
		notification("notifications/"+unknown, nil),
		{"a response", withBody(map[string]any{"id": unknown, "result": map[string]any{}})},
		{"a response with a number", withBody(map[string]any{"id": 1, "result": map[string]any{}})},
		{"an error", withBody(map[string]any{"id": unknown, "error": refused})},
	}
	if p.Revision == check.R20250326 {
		cancelled := messages[0].request
		cancelled.Body = append(append([]byte("["), cancelled.Body...), ']')
		messages = append(messages, namedRequest{"a batch of one notification", cancelled})
	}
	return messages
}
