package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// answerChecks are checks of server/answer: what is kept of tokens and answers, by the server and
// by what stands in between.
func answerChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:         "server/answer/own-result",
				Level:      check.Must,
				Severity:   check.Critical,
				Disruptive: true,
				Reference:  "MCP security best practices, Session Hijacking; JSON-RPC 2.0 section 5",
				Sentence:   "Of many calls at once, some of them given up, each caller gets the answer to its own.",
				Covers:     []string{"RS-076"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Needs:  []bench.Need{bench.CanaryTool},
			Run:    ownResult,
		},
		{
			Rule: check.Rule{
				ID:        "server/answer/not-cacheable",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 9111 section 3.5; WHATWG Fetch, CORS protocol",
				Sentence: "An answer to one caller is not marked for the caches of others, and not opened to any " +
					"page that brings cookies.",
				Covers: []string{"RS-085"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    answerNotCacheable,
		},
		{
			Rule: check.Rule{
				ID:        "server/answer/keeps-tokens-to-itself",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1 section 7.1; MCP logging, Security",
				Sentence:  "A token, good or bad, is repeated neither in an answer nor in the server's log.",
				Covers:    []string{"RS-083", "server-secure-token-storage", "server-log-no-credentials"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    keepsTokens,
		},
	}
}

// answerNotCacheable tries server/answer/not-cacheable.
func answerNotCacheable(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	request := trial.Request()
	request.Header.Set("Authorization", "Bearer "+trial.Token)
	answer, err := p.Send(ctx, request)
	if err != nil {
		return err
	}
	control := strings.ToLower(strings.Join(answer.Header.Values("Cache-Control"), ", "))
	switch {
	case shared.MatchString(control):
		return p.Insecure("an answer that no shared cache keeps", "Cache-Control: "+control)
	case answer.Header.Get("Access-Control-Allow-Credentials") == "true":
		return p.MismatchAt(check.Policy, "no Access-Control-Allow-Credentials", "true")
	case !strings.Contains(control, "no-store") && !strings.Contains(control, "private"):
		return p.MismatchAt(check.Policy, "Cache-Control: no-store", fmt.Sprintf("%q", control))
	}
	return nil
}

// shared says that others may keep an answer (RFC 9111 section 5.2.2).
var shared = regexp.MustCompile(`(^|[ ,])(public|s-maxage=)`)

func keepsTokens(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	tampered := tamper(trial.Token)
	const canary = "canary-that-is-not-a-token-kzqx"
	for name, change := range map[string]func(*bench.Request, string){
		"a good token":    attack.Authorization(func(good string) string { return "Bearer " + good }),
		"a bad signature": attack.Authorization(func(string) string { return "Bearer " + tampered }),
		"no token":        attack.Authorization(func(string) string { return "Bearer " + canary }),
		"malformed credentials": attack.Authorization(func(string) string {
			return "Bearer " + canary + ", Bearer " + canary
		}),
		"another scheme": attack.Authorization(func(string) string { return "Basic " + canary }),
	} {
		request := trial.Request()
		change(&request, trial.Token)
		answer, err := p.Send(ctx, request)
		if err != nil {
			return err
		}
		for _, secret := range []string{trial.Token, tampered, canary} {
			if strings.Contains(string(answer.Body), secret) ||
				strings.Contains(fmt.Sprint(http.Header(answer.Header)), secret) {
				return p.Insecure("nothing of the credentials in the answer: "+name, "the credentials")
			}
		}
	}
	log := p.Log()
	for what, secret := range map[string]string{
		"the good token":  trial.Token,
		"a bad token":     tampered,
		"bad credentials": canary,
	} {
		// The signature is what makes a token worth stealing.
		if strings.Contains(log, secret) || strings.Contains(log, secret[strings.LastIndexByte(secret, '.')+1:]) {
			return p.Insecure("nothing of "+what+" in the log", "it")
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
func ownResult(ctx context.Context, p *bench.Probe) error {
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
	sessions := []*bench.Session{trial.Session, theirs}
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

func ownCall(ctx context.Context, trial *bench.Trial, session *bench.Session, givenUp bool) error {
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
	if json.Unmarshal(request.Body, &asked) != nil || json.Unmarshal(answer.Body, &answered) != nil ||
		asked.ID != answered.ID {
		return p.Insecure("the ID of the own call", "another")
	}
	return nil
}
