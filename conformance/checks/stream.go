package checks

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"mcpentra/conformance/engine"
)

// streamLife is how long the token of a stream lives.
const streamLife = time.Second

// stream: whose events a listening stream carries, and for how long.
func stream() []engine.Check {
	return []engine.Check{
		{
			ID: "server/stream/ends-with-token", Role: engine.Server, Level: engine.Policy, Severity: engine.Medium, Revisions: withSessions,
			Needs: []engine.TokenKind{engine.Good}, NeedsMint: true, Covers: []string{"RS-016"},
			Reference: "MCP authorization, Token Handling",
			Sentence:  "A listening stream ends within twenty seconds when the token that opened it expires.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				trial, err := p.Trial(ctx)
				if err != nil {
					return err
				}
				expiry := time.Now().Add(streamLife)
				token, err := p.Mint(ctx, engine.Edits{Claims: func(claims map[string]any) { claims["exp"] = expiry.Unix() + 1 }})
				if err != nil {
					return err
				}
				ctx, cancel := context.WithDeadline(ctx, expiry.Add(p.Patience()))
				defer cancel()
				events, err := p.Stream(ctx, listening(trial.Session, token))
				if err != nil {
					return err
				}
				if events == nil {
					return &engine.NotApplicable{Reason: "the server opens no listening stream"}
				}
				defer events.Close()
				if _, _ = io.Copy(io.Discard, events); ctx.Err() != nil {
					return p.Mismatch("the end of the stream", fmt.Sprintf("a stream that goes on %v later", p.Patience()))
				}
				return nil
			},
		},
		{
			ID: "server/stream/own-events", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Revisions: withSessions,
			Needs: []engine.TokenKind{engine.Good, engine.OtherUser}, NeedsCanary: true, Covers: []string{"RS-104", "server-resume-stream-isolated"},
			Reference: "MCP transports, Listening for Messages from the Server; MCP security best practices, Session Hijacking",
			Sentence:  "The listening stream of one user carries nothing of another's.",
			Run:       ownEvents,
		},
		{
			ID: "server/answer/own-result", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Disruptive: true,
			Needs: []engine.TokenKind{engine.Good, engine.OtherUser}, NeedsCanary: true, Covers: []string{"RS-076"},
			Reference: "MCP security best practices, Session Hijacking; JSON-RPC 2.0 section 5",
			Sentence:  "Of many calls at once, some of them given up, each caller gets the answer to its own.",
			Run:       ownResult,
		},
	}
}

// listenFor is how long to listen where nothing is heard.
const listenFor = 500 * time.Millisecond

// ownEvents listens as one user while two users run the tool, and reads until the listener's own event or, where the tool
// tells nothing, for a while.
func ownEvents(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	other, err := p.Token(ctx, engine.OtherUser)
	if err != nil {
		return err
	}
	theirs, err := p.Open(ctx, other)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := p.Stream(ctx, listening(trial.Session, trial.Token))
	if err != nil {
		return err
	}
	if events == nil {
		return &engine.NotApplicable{Reason: "the server opens no listening stream"}
	}
	defer events.Close()
	foreign, own := trial.RequestIn(theirs), trial.Request()
	foreign.Header.Set("Authorization", "Bearer "+other)
	own.Header.Set("Authorization", "Bearer "+trial.Token)
	for _, request := range []engine.Request{foreign, own} {
		answer, err := p.Send(ctx, request)
		if err != nil {
			return err
		}
		if !answer.Succeeded() {
			return &engine.CannotJudge{Reason: fmt.Sprintf("the tool does not run: status %d", answer.Status)}
		}
	}
	defer time.AfterFunc(listenFor, cancel).Stop()
	for lines := bufio.NewScanner(events); lines.Scan(); {
		if strings.Contains(lines.Text(), foreign.Marker()) {
			return p.Insecure("events of the own user only", "an event of another user")
		}
		if strings.Contains(lines.Text(), own.Marker()) {
			return nil
		}
	}
	return nil
}

// How many calls are made at once, and in all.
const (
	callsAtOnce = 32
	calls       = 400
)

// ownResult calls the tool for two users in turn; every fifth call is given up while it runs.
func ownResult(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	other, err := p.Token(ctx, engine.OtherUser)
	if err != nil {
		return err
	}
	theirs, err := p.Open(ctx, other)
	if err != nil {
		return err
	}
	sessions := []*engine.Session{trial.Session, theirs}
	results := make(chan error, calls)
	slots := make(chan struct{}, callsAtOnce)
	for i := range calls {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			results <- ownCall(ctx, trial, sessions[i%2], i%5 == 4)
		}()
	}
	var first error
	for range calls {
		if err := <-results; err != nil && first == nil {
			first = err
		}
	}
	return first
}

func ownCall(ctx context.Context, trial *engine.Trial, session *engine.Session, givenUp bool) error {
	// A probe records one exchange at a time.
	p := trial.Clone()
	request := trial.RequestIn(session)
	request.Header.Set("Authorization", "Bearer "+session.Token)
	if givenUp {
		early, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		_, _ = p.Send(early, request)
		return nil
	}
	answer, err := p.Send(ctx, request)
	switch {
	case err != nil:
		return err
	case answer.Status == http.StatusTooManyRequests || answer.Status == http.StatusServiceUnavailable:
		return nil // a server may have enough
	case !answer.Succeeded():
		return p.Mismatch("the result", fmt.Sprintf("status %d", answer.Status))
	case !strings.Contains(string(answer.Body), request.Marker()):
		return p.Insecure("the result of the own call", "a result without its marker")
	}
	var asked, answered struct {
		ID json.Number `json:"id"`
	}
	if json.Unmarshal(request.Body, &asked) != nil || json.Unmarshal(answer.Body, &answered) != nil || asked.ID != answered.ID {
		return p.Insecure("the ID of the own call", "another")
	}
	return nil
}
