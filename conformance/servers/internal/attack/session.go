package attack

import (
	"context"
	"fmt"
	"net/http"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// SessionTrial makes a trial with a server that keeps sessions. Other servers give a
// *check.NotApplicable.
func SessionTrial(ctx context.Context, p *bench.Probe) (*bench.Trial, error) {
	trial, err := p.Trial(ctx)
	if err == nil && trial.Session.ID == "" {
		return nil, &check.NotApplicable{Reason: "the server keeps no sessions"}
	}
	return trial, err
}

// WantSessionServed wants a session served with a token, which the report describes in words.
func WantSessionServed(ctx context.Context, p *bench.Probe, session *bench.Session, token, words string) error {
	answer, err := p.Send(ctx, WithToken(token, session.Message("tools/list", nil)))
	if err == nil && answer.Status != http.StatusOK {
		return p.Mismatch("status 200 with "+words, fmt.Sprintf("status %d", answer.Status))
	}
	return err
}

// StreamRequest returns the GET that opens the listening stream of a session. An empty token sends
// no credentials.
func StreamRequest(session *bench.Session, token string) bench.Request {
	header := http.Header{"Accept": {"text/event-stream"}}
	if session.ID != "" {
		header.Set("Mcp-Session-Id", session.ID)
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return bench.Request{Method: http.MethodGet, Header: header}
}

// DeleteRequest returns the DELETE that ends a session. An empty token sends no credentials.
func DeleteRequest(session *bench.Session, token string) bench.Request {
	request := StreamRequest(session, token)
	request.Method = http.MethodDelete
	return request
}
