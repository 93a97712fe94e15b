package checks

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
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
				_, _, err := endedStream(ctx, p)
				return err
			},
		},
		{
			ID:        "server/stream/reopened",
			Role:      engine.Server,
			Level:     engine.Policy,
			Severity:  engine.Low,
			Revisions: withSessions,
			Needs:     []engine.TokenKind{engine.Good},
			NeedsMint: true,
			Covers:    []string{"RS-016"},
			Reference: "RFC 6750 section 3.1; MCP authorization, Token Handling",
			Sentence:  "A token that its stream has ended with is answered with 401, or opens a stream that lasts.",
			Run:       reopened,
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

// endedStream listens with a token until it expires, and returns the session and the token.
func endedStream(ctx context.Context, p *engine.Probe) (session *engine.Session, token string, err error) {
	trial, err := p.Trial(ctx)
	if err != nil {
		return nil, "", err
	}
	expiry := time.Now().Add(streamLife)
	token, err = p.Mint(ctx, engine.Edits{Claims: func(claims map[string]any) { claims["exp"] = expiry.Unix() + 1 }})
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithDeadline(ctx, expiry.Add(p.Patience()))
	defer cancel()
	events, err := p.Stream(ctx, listening(trial.Session, token))
	if err != nil {
		return nil, "", err
	}
	if events == nil {
		return nil, "", &engine.NotApplicable{Reason: "the server opens no listening stream"}
	}
	defer events.Close()
	if _, _ = io.Copy(io.Discard, events); ctx.Err() != nil {
		return nil, "", p.Mismatch("the end of the stream", fmt.Sprintf("a stream that goes on %v later", p.Patience()))
	}
	return trial.Session, token, nil
}

// retryDelay is how long the official SDKs wait before they open a stream again, and how long the new one has to last.
const retryDelay = time.Second

// reopened does what the official SDKs do when a stream ends: they come again with the same token, and give up after
// two answers that tell them neither to get a new token nor anything else to do.
func reopened(ctx context.Context, p *engine.Probe) error {
	began := time.Now()
	session, token, err := endedStream(ctx, p)
	if mismatch := (*engine.Mismatch)(nil); errors.As(err, &mismatch) {
		return &engine.NotApplicable{Reason: "the stream does not end with its token"}
	}
	if err != nil {
		return err
	}
	// A server may close its streams early, and have its clients come again (MCP 2025-11-25, transports).
	if time.Since(began) < streamLife {
		return &engine.NotApplicable{Reason: "the stream ended before its token did"}
	}
	select {
	case <-time.After(retryDelay):
	case <-ctx.Done():
		return ctx.Err()
	}
	listen, cancel := context.WithTimeout(ctx, retryDelay)
	defer cancel()
	events, err := p.Stream(listen, listening(session, token))
	switch {
	case listen.Err() != nil:
		return ctx.Err() // the server takes its time, as one does that holds the stream open
	case err != nil:
		return err
	case events != nil:
		defer events.Close()
		if _, _ = io.Copy(io.Discard, events); listen.Err() == nil {
			return p.Mismatch("status 401, or a stream", "status 200 and a stream that ends at once")
		}
		return ctx.Err()
	}
	answer, err := p.Send(ctx, listening(session, token))
	if err != nil {
		return err
	}
	if answer.Status >= http.StatusInternalServerError {
		return p.Mismatch("status 401, or a stream", fmt.Sprintf("status %d", answer.Status))
	}
	return nil
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
