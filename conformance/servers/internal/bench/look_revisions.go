package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
)

// An offer is what a server answers to the first message of a revision.
type offer struct {
	answer *Answer
	named  []check.Revision
	err    error
}

// offer sends the first message of a revision, and reads the revisions that the answer names.
func (l *looker) offer(ctx context.Context, revision check.Revision, token string) offer {
	answer, err := l.send(ctx, revision, token, Request{})
	if err != nil {
		return offer{err: err}
	}
	if !answer.Succeeded() {
		return offer{answer: answer}
	}
	var message struct {
		Result struct {
			Version  check.Revision   `json:"protocolVersion"`
			Versions []check.Revision `json:"supportedVersions"`
		} `json:"result"`
	}
	_ = json.Unmarshal(answer.Body, &message) // an answer of another form names none
	named := message.Result.Versions
	if revision != check.R20260728 {
		named = []check.Revision{message.Result.Version}
		l.endSession(ctx, revision, token, answer.Header.Get("Mcp-Session-Id"))
	}
	return offer{answer: answer, named: named}
}

// findRevisions offers each revision with the good token, or without one if the server asks for
// none.
func (l *looker) findRevisions(ctx context.Context) {
	if l.supplied {
		token, err := l.probe.Token(ctx, Good)
		if err != nil {
			l.refused = err.Error()
			l.blamed = true
			return
		}
		l.good = token
	}
	if !l.supplied && !l.first.Succeeded() {
		return
	}
	worked := false
	var last offer
	for _, revision := range check.Revisions() {
		made := l.offer(ctx, revision, l.good)
		if made.answer == nil || !made.answer.Succeeded() {
			if reason := l.doubt(made, revision); reason != "" {
				l.unclear[revision] = reason
			}
			if revision != check.R20260728 || last.answer == nil {
				last = made
			}
			continue
		}
		worked = true
		if slices.Contains(made.named, revision) {
			l.Spoken = append(l.Spoken, revision)
		} else if len(made.named) > 0 {
			l.other = string(made.named[0])
		}
	}
	if l.supplied && !worked {
		l.refused = l.refusal(last)
	}
}

// doubt says why an offer that failed does not show that the server refuses the revision. Without
// a doubt it returns "".
func (l *looker) doubt(made offer, revision check.Revision) string {
	const first = "the first message of MCP"
	switch {
	case errors.Is(made.err, context.DeadlineExceeded):
		const format = "the server gives no answer to %s %s within %v; for a slow server, allow more with --timeout"
		return fmt.Sprintf(format, first, revision, l.target.within(lookTime))
	case made.err != nil:
		reason := l.probe.shown(firstLine(made.err.Error()))
		return fmt.Sprintf("the server gives no answer to %s %s: %s", first, revision, reason)
	case made.answer.Status == http.StatusTooManyRequests || made.answer.Status >= http.StatusInternalServerError:
		return fmt.Sprintf("the server answers %s %s with status %d", first, revision, made.answer.Status)
	}
	return ""
}

// refusal says how the server refuses the good token.
func (l *looker) refusal(last offer) string {
	if last.answer == nil {
		return fmt.Sprintf("the server gives no answer to a request with it within %v", l.target.within(lookTime))
	}
	reason := fmt.Sprintf("the server answers %d", last.answer.Status)
	if challenge, err := l.probe.Challenge(last.answer); err == nil && challenge["error"] != "" {
		words := strings.TrimSuffix(challenge["error"]+": "+challenge["error_description"], ": ")
		reason += fmt.Sprintf(" (%s)", l.probe.shown(words))
	}
	return reason
}

// findAssumed finds a revision for requests without a token. A server may refuse the header of a
// revision that it does not speak before it asks for a token.
func (l *looker) findAssumed(ctx context.Context) {
	l.assumed = check.R20251125
	candidates := []check.Revision{check.R20251125, check.R20250618, check.R20250326, check.R20260728}
	if len(l.Spoken) > 0 || l.first.Succeeded() {
		return
	}
	for _, revision := range candidates {
		p := l.probe.WithRevision(revision)
		first, err := l.send(ctx, revision, "", Request{})
		if err != nil || first.Status != http.StatusUnauthorized {
			continue
		}
		second, err := l.send(ctx, revision, "", p.Notification("notifications/initialized"))
		if err == nil && second.Status == http.StatusUnauthorized {
			l.assumed = revision
			return
		}
	}
}

// newest returns the newest revision with a handshake that the server speaks, or the newest.
func (s *Survey) newest() check.Revision {
	for _, revision := range slices.Backward(s.Spoken) {
		if revision != check.R20260728 {
			return revision
		}
	}
	return check.R20260728
}

// checkClaims wants the server to speak the revisions that the target claims.
func (l *looker) checkClaims() {
	if len(l.Spoken) == 0 {
		return
	}
	for _, claimed := range l.target.Revisions {
		if slices.Contains(l.Spoken, claimed) {
			continue
		}
		reason := l.unclear[claimed]
		if reason == "" {
			reason = fmt.Sprintf(
				"the server does not speak MCP %s; it says that it speaks %s", claimed, join(l.Spoken),
			)
		}
		l.unusable = &Unusable{Reason: reason}
		return
	}
}

func join(revisions []check.Revision) string {
	var names []string
	for _, revision := range revisions {
		names = append(names, string(revision))
	}
	return strings.Join(names, ", ")
}
