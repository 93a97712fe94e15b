package checks

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// streamChecks are checks of server/stream: whose events a listening stream carries, and for how
// long.
func streamChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/stream/needs-token",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: withSessions,
				Reference: "MCP authorization, Token Requirements",
				Sentence:  "Nobody opens or resumes the listening stream without a token.",
				Covers:    []string{"server-auth-get-stream", "RS-095"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    streamNeedsToken,
		},
		{
			Rule: check.Rule{
				ID:        "server/stream/ends-with-token",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: withSessions,
				Reference: "MCP authorization, Token Handling",
				Sentence:  "A listening stream ends within twenty seconds when the token that opened it expires.",
				Covers:    []string{"RS-016"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run: func(ctx context.Context, p *bench.Probe) error {
				_, _, err := endedStream(ctx, p)
				return err
			},
		},
		{
			Rule: check.Rule{
				ID:        "server/stream/reopened",
				Level:     check.Policy,
				Severity:  check.Low,
				Revisions: withSessions,
				Reference: "RFC 6750 section 3.1; MCP authorization, Token Handling",
				Sentence:  "A token that its stream has ended with is answered with 401, or opens a stream that lasts.",
				Covers:    []string{"RS-016"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    reopened,
		},
		{
			Rule: check.Rule{
				ID:        "server/stream/own-events",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: withSessions,
				Reference: "MCP transports, Listening for Messages from the Server; MCP security best practices, " +
					"Session Hijacking",
				Sentence: "The listening stream of one user carries nothing of another's.",
				Covers:   []string{"RS-104", "server-resume-stream-isolated"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Needs:  []bench.Need{bench.CanaryTool},
			Run:    ownEvents,
		},
	}
}

// streamNeedsToken tries server/stream/needs-token.
func streamNeedsToken(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	for _, credentials := range []string{"", "Bearer " + bad} {
		for _, event := range []string{"", "1"} {
			request := listening(trial.Session, "")
			if credentials != "" {
				request.Header.Set("Authorization", credentials)
			}
			if event != "" {
				request.Header.Set("Last-Event-Id", event)
			}
			answer, err := p.Send(ctx, request)
			if err != nil {
				return err
			}
			if answer.Status/100 == 2 {
				return p.Insecure("status 401, or 405", fmt.Sprintf("status %d", answer.Status))
			}
			if answer.Status != http.StatusUnauthorized && answer.Status != http.StatusMethodNotAllowed {
				return p.Mismatch("status 401, or 405", fmt.Sprintf("status %d", answer.Status))
			}
		}
	}
	return nil
}

// streamLife is how long the token of a stream lives.
const streamLife = time.Second

// endedStream listens with a token until it expires, and returns the session and the token.
func endedStream(ctx context.Context, p *bench.Probe) (session *bench.Session, token string, err error) {
	trial, err := p.Trial(ctx)
	if err != nil {
		return nil, "", err
	}
	expiry := time.Now().Add(streamLife)
	token, err = p.Mint(ctx, bench.Edits{Claims: func(claims map[string]any) { claims["exp"] = expiry.Unix() + 1 }})
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
		return nil, "", &check.NotApplicable{Reason: "the server opens no listening stream"}
	}
	defer events.Close()
	if _, _ = io.Copy(io.Discard, events); ctx.Err() != nil {
		return nil, "", p.Mismatch("the end of the stream", fmt.Sprintf("a stream that goes on %v later", p.Patience()))
	}
	return trial.Session, token, nil
}

// retryDelay is how long the official SDKs wait before they open a stream again, and how long the
// new one has to last.
const retryDelay = time.Second

// reopened does what the official SDKs do when a stream ends: they come again with the same token,
// and give up after two answers that tell them neither to get a new token nor anything else to do.
func reopened(ctx context.Context, p *bench.Probe) error {
	began := time.Now()
	session, token, err := endedStream(ctx, p)
	if mismatch := (*check.Mismatch)(nil); errors.As(err, &mismatch) {
		return &check.NotApplicable{Reason: "the stream does not end with its token"}
	}
	if err != nil {
		return err
	}
	// A server may close its streams early, and have its clients come again (MCP 2025-11-25,
	// transports).
	if time.Since(began) < streamLife {
		return &check.NotApplicable{Reason: "the stream ended before its token did"}
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

// ownEvents listens as one user while two users run the tool, and reads until the listener's own
// event or, where the tool tells nothing, for a while.
func ownEvents(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	other, err := p.Token(ctx, bench.OtherUser)
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
		return &check.NotApplicable{Reason: "the server opens no listening stream"}
	}
	defer events.Close()
	foreign := trial.RequestIn(theirs)
	own := trial.Request()
	foreign.Header.Set("Authorization", "Bearer "+other)
	own.Header.Set("Authorization", "Bearer "+trial.Token)
	for _, request := range []bench.Request{foreign, own} {
		answer, err := p.Send(ctx, request)
		if err != nil {
			return err
		}
		if !answer.Succeeded() {
			return &check.CannotJudge{Reason: fmt.Sprintf("the tool does not run: status %d", answer.Status)}
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
