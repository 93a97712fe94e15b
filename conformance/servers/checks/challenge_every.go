package checks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// challengeEveryChecks returns the checks of server/challenge about every kind of message, and
// about every way to be refused.
func challengeEveryChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "server/challenge/every-method",
				Level:        check.Must,
				Severity:     check.Critical,
				EachRevision: true,
				Reference:    "MCP authorization, Token Requirements; RFC 6750 section 3",
				Sentence: "A server that asks for a token asks for it with every MCP method, also in a " +
					"session.",
				Covers: []string{"RS-001", "server-401-no-token", "server-elicitation-not-own-auth"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(challengeEveryMethod),
		},
		{
			Rule: check.Rule{
				ID:           "server/challenge/notifications",
				Level:        check.Must,
				Severity:     check.High,
				EachRevision: true,
				Reference:    "MCP authorization, Token Requirements",
				Sentence:     "A notification or a response without a token is refused, also in a session.",
				Covers:       []string{"server-auth-notifications"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(challengeNotifications),
		},
		{
			Rule: check.Rule{
				ID:           "server/challenge/every-refusal",
				Level:        check.Must,
				EachRevision: true,
				Reference:    "RFC 9110 section 15.5.2; RFC 6750 section 3; RFC 9728 section 5.1",
				Sentence: "Every 401 carries a well-formed Bearer challenge, whatever was wrong with the " +
					"request. Each names the metadata if one does.",
				Covers: []string{
					"server-401-challenge-present",
					"server-401-challenge-syntax",
					"server-401-resource-metadata",
					"server-401-error-invalid-token",
				},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(challengeEveryRefusal),
		},
	}
}

// wantsTokens skips a server that answers the first message without a token. That finding belongs
// to server/challenge/without-token.
func wantsTokens(ctx context.Context, p *bench.Probe) error {
	answer, err := p.Send(ctx, bench.Request{})
	if err == nil && answer.Status != http.StatusUnauthorized {
		return &check.NotApplicable{
			Reason: fmt.Sprintf("without a token the first message gets status %d and not 401", answer.Status),
		}
	}
	return err
}

// challengeEveryMethod sends each method with a good token and without one. A method that the
// server does not have may be refused with any status 4xx.
func challengeEveryMethod(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	if err := wantsTokens(ctx, p); err != nil {
		return err
	}
	var vectors []attack.Vector
	for _, method := range everyMethod(p.Revision) {
		message := trial.Session.Message(method.name, method.params)
		served, err := p.Send(ctx, attack.WithToken(trial.Token, message))
		if err != nil {
			return err
		}
		want := bench.AnyRefusal()
		if served.Succeeded() {
			want = refusedInSession
		}
		vectors = append(vectors, attack.Vector{
			Name:   method.name + " without a token",
			Want:   want,
			Change: func(r *bench.Request, _ string) { *r = trial.Session.Message(method.name, method.params) },
		})
	}
	vectors = append(vectors, attack.Vector{Name: "the trial's request without a token"})
	return attack.TryVectors(ctx, p, trial, refusedInSession, vectors...)
}

// refusedInSession are the answers to a request in a session without a token. A server may look for
// the session first.
var refusedInSession = []int{
	http.StatusUnauthorized,
	http.StatusBadRequest,
	http.StatusForbidden,
	http.StatusNotFound,
}

// everyMethod returns the requests of a client in a revision. They change at most the session.
func everyMethod(revision check.Revision) []readMethod {
	methods := append(readMethods(), readMethod{"ping", nil})
	switch revision {
	case check.R20260728:
		return append(methods, readMethod{"server/discover", nil})
	case check.R20251125:
		methods = append(methods, readMethod{"tasks/list", nil})
	}
	return append(methods,
		readMethod{"resources/subscribe", map[string]any{"uri": "file:///x"}},
		readMethod{"resources/unsubscribe", map[string]any{"uri": "file:///x"}},
		readMethod{"logging/setLevel", map[string]any{"level": "emergency"}},
	)
}

// challengeNotifications sends messages that expect no response, first with a good token and then
// without one. Messages that the server refuses with a token too say nothing.
func challengeNotifications(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	if err := wantsTokens(ctx, p); err != nil {
		return err
	}
	tried := 0
	for _, message := range unanswered(p) {
		good := attack.WithToken(trial.Token, inSession(message.request, trial.Session))
		accepted, err := p.Send(ctx, good)
		if err != nil {
			return err
		}
		if accepted.Status/100 != 2 {
			continue
		}
		tried++
		answer, err := p.Send(ctx, inSession(message.request, trial.Session))
		if err != nil {
			return err
		}
		switch {
		case answer.Status/100 == 2:
			return p.Insecure("status 401: "+message.name+" without a token", fmt.Sprintf("status %d", answer.Status))
		case answer.Status < 400 || answer.Status >= 500:
			return p.Mismatch("status 401: "+message.name+" without a token", fmt.Sprintf("status %d", answer.Status))
		}
	}
	if tried == 0 {
		return &check.NotApplicable{Reason: "the server accepts no notification, even with a good token"}
	}
	return nil
}

type namedRequest struct {
	name    string
	request bench.Request
}

// unanswered returns messages that expect no response.
func unanswered(p *bench.Probe) []namedRequest {
	response := p.Notification("notifications/initialized")
	response.Body = []byte(`{"jsonrpc":"2.0","id":"mcp-auth-conformance","result":{}}`)
	response.Header.Del("Mcp-Method")
	messages := []namedRequest{
		{"an unknown notification", p.Notification("notifications/mcp-auth-conformance")},
		{"a response", response},
	}
	if p.Revision != check.R20260728 {
		initialized := p.Notification("notifications/initialized")
		messages = append(messages, namedRequest{"notifications/initialized", initialized})
	}
	return messages
}

// inSession returns a copy of a request with the ID of a session.
func inSession(request bench.Request, session *bench.Session) bench.Request {
	request.Header = request.Header.Clone()
	if session.ID != "" {
		request.Header.Set("Mcp-Session-Id", session.ID)
	}
	return request
}

// challengeEveryRefusal provokes refusals, and reads the challenge of each 401.
func challengeEveryRefusal(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	before := bench.Challenge{} // to the first refusal, which has no token
	refused := 0
	all, err := refusals(ctx, p, trial)
	if err != nil {
		return err
	}
	for _, tried := range all {
		answer, err := p.Send(ctx, tried.request)
		if err != nil {
			return err
		}
		if answer.Status != http.StatusUnauthorized {
			continue // other checks judge the status
		}
		refused++
		challenge, err := p.Challenge(answer)
		switch {
		case err != nil && refused == 1:
			return &check.Skipped{Of: "server/challenge/bearer", Reason: "a 401 without a token has no good challenge"}
		case err != nil:
			return whenRefused(err, tried.name)
		case refused == 1:
			before = challenge
		}
		if before["resource_metadata"] != "" && challenge["resource_metadata"] == "" {
			return p.MismatchAt(levelOfMetadata(p), "resource_metadata, as without a token: "+tried.name, "none")
		}
		if tried.isBadToken && challenge["error"] == "" {
			return p.MismatchAt(check.Should, "error=\"invalid_token\": "+tried.name, "no error")
		}
		for _, name := range []string{"scope", "error", "error_description"} {
			if value, found := challenge[name]; found && !challengeText.MatchString(value) {
				return p.Mismatch(
					"a parameter "+name+" without quotes and backslashes: "+tried.name,
					fmt.Sprintf("%q", value),
				)
			}
		}
	}
	if refused == 0 {
		return &check.NotApplicable{Reason: "the server refuses none of several bad requests with 401"}
	}
	return nil
}

// levelOfMetadata returns the level of the rule that each 401 names the metadata. Later revisions
// have other ways to find it.
func levelOfMetadata(p *bench.Probe) check.Level {
	if p.Revision == check.R20250618 {
		return check.Must
	}
	return check.Policy
}

// challengeText matches the characters that scope, error and error_description may have (RFC 6750
// section 3).
var challengeText = regexp.MustCompile(`^[ !#-\[\]-~]*$`)

// A refusal is a request that a server refuses.
type refusal struct {
	namedRequest
	isBadToken bool // the request has a token that is not good
}

// refusals returns requests that a server may refuse for different reasons. The first has no token.
func refusals(ctx context.Context, p *bench.Probe, trial *bench.Trial) ([]refusal, error) {
	with := func(name, credentials string, isBadToken bool) refusal {
		request := trial.Request()
		request.Header.Set("Authorization", credentials)
		return refusal{namedRequest{name, request}, isBadToken}
	}
	without := func(name string, request bench.Request) refusal { return refusal{namedRequest{name, request}, false} }
	all := []refusal{
		without("no token", trial.Request()),
		without("no token in the first message", bench.Request{}),
		without("a list of tools without a token", trial.Session.Message("tools/list", nil)),
		with("no value after Bearer", "Bearer", false),
		with("a value that is not a token", "Bearer "+attack.MalformedToken, false),
		with("a malformed token", "Bearer "+attack.MalformedJWT, false),
		with("a wrong signature", "Bearer "+attack.Tamper(trial.Token), true),
	}
	for _, kind := range []bench.TokenKind{bench.Expired, bench.ForeignAudience} {
		if !p.Supplies(kind) {
			continue
		}
		token, err := p.Token(ctx, kind)
		if err != nil {
			return nil, err
		}
		all = append(all, with("a token of the kind: "+string(kind), "Bearer "+token, true))
	}
	if p.Revision != check.R20260728 {
		all = append(all,
			without("a stream without a token", attack.StreamRequest(trial.Session, "")),
			without("a stream with a malformed token", attack.StreamRequest(trial.Session, attack.MalformedJWT)),
			without("a DELETE with a malformed token", attack.DeleteRequest(trial.Session, attack.MalformedJWT)),
		)
	}
	return all, nil
}

// whenRefused adds the reason of a refusal to a mismatch.
func whenRefused(err error, name string) error {
	var mismatch *check.Mismatch
	if errors.As(err, &mismatch) {
		mismatch.Want += ": " + name
	}
	return err
}
