package checks

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// streamChecks returns the checks of server/stream: whose events a listening stream carries, and
// for how long.
func streamChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/stream/needs-token",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: before(check.R20260728),
				Reference: "MCP authorization, Token Requirements",
				Sentence:  "Opening or resuming the listening stream requires a token.",
				Covers:    []string{"server-auth-get-stream", "RS-095"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(streamNeedsToken),
		},
		{
			Rule: check.Rule{
				ID:        "server/stream/ends-with-token",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: before(check.R20260728),
				Reference: "MCP authorization, Token Handling",
				Sentence:  "A listening stream ends within twenty seconds after its token expires.",
				Covers:    []string{"RS-016"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Slow:   true,
			Run:    streamEndsWithToken,
		},
		{
			Rule: check.Rule{
				ID:        "server/stream/reopened",
				Level:     check.Policy,
				Severity:  check.Low,
				Revisions: before(check.R20260728),
				Reference: "RFC 6750 section 3.1; MCP authorization, Token Handling",
				Sentence: "After a stream has ended with its token, that token gets 401, or opens a stream " +
					"that lasts.",
				Covers: []string{"RS-016"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Slow:   true,
			Run:    streamReopened,
		},
		{
			Rule: check.Rule{
				ID:        "server/stream/own-events",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: before(check.R20260728),
				Reference: "MCP transports, Listening for Messages from the Server; MCP security best practices, " +
					"Session Hijacking",
				Sentence: "The listening stream of one user carries no events of another.",
				Covers:   []string{"RS-104"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Needs:  []bench.Need{bench.CanaryTool},
			Run:    attack.WithTrial(streamOwnEvents),
		},
	}
}

// streamNeedsToken opens and resumes the stream without a good token.
func streamNeedsToken(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	for _, token := range []string{"", attack.MalformedJWT} {
		for _, event := range []string{"", "1"} {
			request := attack.StreamRequest(trial.Session, token)
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
			if !slices.Contains(attack.WithoutToken, answer.Status) {
				return p.Mismatch("status 401, or 404, 405 or 501", fmt.Sprintf("status %d", answer.Status))
			}
		}
	}
	return nil
}

// streamEndsWithToken tries server/stream/ends-with-token.
func streamEndsWithToken(ctx context.Context, p *bench.Probe) error {
	_, _, err := endedStream(ctx, p)
	return err
}

// endedStream listens until the token expires, and returns the session and the token.
func endedStream(ctx context.Context, p *bench.Probe) (session *bench.Session, token string, err error) {
	trial, err := p.Trial(ctx)
	if err != nil {
		return nil, "", err
	}
	expiry := time.Now().Add(streamLife)
	token, err = p.Mint(ctx, bench.Edits{Claims: attack.Member("exp", expiry.Unix()+1)})
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithDeadline(ctx, expiry.Add(p.Patience()))
	defer cancel()
	events, err := p.Stream(ctx, attack.StreamRequest(trial.Session, token))
	if err != nil {
		return nil, "", err
	}
	if events == nil {
		return nil, "", &check.NotApplicable{Reason: "the server opens no listening stream"}
	}
	defer events.Close()
	_, _ = io.Copy(io.Discard, events)
	if ctx.Err() != nil {
		return nil, "", p.Mismatch("the end of the stream", fmt.Sprintf("a stream that goes on %v later", p.Patience()))
	}
	return trial.Session, token, nil
}

// streamLife is how long the token of a stream is valid.
const streamLife = time.Second

// streamReopened does what the official SDKs do when a stream ends: they open it again with the
// same token. After two failures they give up, unless the server asks for a new token with 401.
func streamReopened(ctx context.Context, p *bench.Probe) error {
	began := time.Now()
	session, token, err := endedStream(ctx, p)
	if mismatch := (*check.Mismatch)(nil); errors.As(err, &mismatch) {
		return &check.NotApplicable{Reason: "the stream does not end with its token"}
	}
	if err != nil {
		return err
	}
	// A server may close its streams early, and have its clients reconnect (MCP 2025-11-25,
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
	events, err := p.Stream(listen, attack.StreamRequest(session, token))
	switch {
	case listen.Err() != nil:
		return ctx.Err() // the server has not answered yet, like one that holds the stream open
	case err != nil:
		return err
	case events != nil:
		defer events.Close()
		_, _ = io.Copy(io.Discard, events)
		if listen.Err() == nil {
			return p.Mismatch("status 401, or a stream", "status 200 and a stream that ends at once")
		}
		return ctx.Err()
	}
	answer, err := p.Send(ctx, attack.StreamRequest(session, token))
	if err != nil {
		return err
	}
	if answer.Status >= http.StatusInternalServerError {
		return p.Mismatch("status 401, or a stream", fmt.Sprintf("status %d", answer.Status))
	}
	return nil
}

// retryDelay is how long the official SDKs wait before they open a stream again. The new stream has
// to last as long.
const retryDelay = time.Second

// streamOwnEvents listens as one user while two users run the tool. It reads until the listener's
// own event, or for a while if the tool sends no events.
func streamOwnEvents(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	theirs, err := p.OpenAs(ctx, bench.OtherUser)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := p.Stream(ctx, attack.StreamRequest(trial.Session, trial.Token))
	if err != nil {
		return err
	}
	if events == nil {
		return &check.NotApplicable{Reason: "the server opens no listening stream"}
	}
	defer events.Close()
	foreign := attack.WithToken(theirs.Token, trial.RequestIn(theirs))
	own := attack.WithToken(trial.Token, trial.Request())
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
			return p.Insecure("events of the listener only", "an event of another user")
		}
		if strings.Contains(lines.Text(), own.Marker()) {
			return nil
		}
	}
	return nil
}

// listenFor is how long the check listens to a stream without events.
const listenFor = 500 * time.Millisecond
