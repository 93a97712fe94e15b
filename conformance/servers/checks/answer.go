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
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// answerChecks returns the checks of server/answer: answers reach their own caller only, and tokens
// stay secret.
func answerChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:         "server/answer/own-result",
				Level:      check.Must,
				Severity:   check.Critical,
				Disruptive: true,
				Reference:  "MCP security best practices, Session Hijacking; JSON-RPC 2.0 section 5",
				Sentence: "When many calls run at once and some are abandoned, each caller gets the answer " +
					"to its own call.",
				Covers: []string{"RS-076"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Needs:  []bench.Need{bench.CanaryTool},
			Run:    attack.WithTrial(answerOwnResult),
		},
		{
			Rule: check.Rule{
				ID:        "server/answer/not-cacheable",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 9111 section 3.5; RFC 9110 section 9.3.3; WHATWG Fetch, CORS protocol",
				Sentence: "An answer to one caller is not marked for shared caches, and pages of other " +
					"sites cannot read it with cookies.",
				Covers: []string{"RS-085"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(answerNotCacheable),
		},
		{
			Rule: check.Rule{
				ID:        "server/answer/keeps-tokens-to-itself",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1 section 7.1; MCP logging, Security",
				Sentence: "Neither answers nor the server's log repeat a token. For credentials that are no token " +
					"this is a policy.",
				Covers: []string{"RS-083", "server-secure-token-storage"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(answerKeepsTokensToItself),
		},
	}
}

// answerOwnResult calls the tool for two users alternately.
func answerOwnResult(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	theirs, err := p.OpenAs(ctx, bench.OtherUser)
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
			results <- callOnce(ctx, trial, sessions[i%2], i%abandonedEvery == abandonedEvery-1)
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

// callsAtOnce is how many calls run at once, and calls how many there are in all. One call in
// abandonedEvery is abandoned while it runs.
const (
	callsAtOnce    = 32
	calls          = 400
	abandonedEvery = 5
)

// callOnce calls the tool in a session, and compares the answer with the request.
func callOnce(ctx context.Context, trial *bench.Trial, session *bench.Session, abandon bool) error {
	p := trial.Clone() // a probe records one exchange at a time
	request := attack.WithToken(session.Token, trial.RequestIn(session))
	if abandon {
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
		return nil // a server may refuse some of many calls
	case !answer.Succeeded():
		return p.Mismatch("the result", fmt.Sprintf("status %d", answer.Status))
	case !strings.Contains(string(answer.Body), request.Marker()):
		return p.Insecure("the result of the caller's own call", "a result without its marker")
	}
	var sent, received struct {
		ID json.Number `json:"id"`
	}
	_ = json.Unmarshal(request.Body, &sent)
	if err := json.Unmarshal(answer.Body, &received); err != nil || sent.ID != received.ID {
		return p.Insecure("the ID of the caller's own call", "another ID")
	}
	return nil
}

// answerNotCacheable tries server/answer/not-cacheable.
func answerNotCacheable(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	answer, err := p.Send(ctx, attack.WithToken(trial.Token, trial.Request()))
	if err != nil {
		return err
	}
	control := strings.ToLower(strings.Join(answer.Header.Values("Cache-Control"), ", "))
	switch {
	case sharedCache.MatchString(control):
		err := p.Insecure("an answer that no shared cache keeps", "Cache-Control: "+control)
		if answer.Header.Get("Content-Location") == "" {
			return inputs.Graded(err, check.Should, check.Low) // caches keep no answer to a POST without it
		}
		return err
	case answer.Header.Get("Access-Control-Allow-Credentials") == "true":
		return p.MismatchAt(check.Policy, "no Access-Control-Allow-Credentials", "true")
	case !strings.Contains(control, "no-store") && !strings.Contains(control, "private"):
		return p.MismatchAt(check.Policy, "Cache-Control: no-store", fmt.Sprintf("%q", control))
	}
	return nil
}

// answerKeepsTokensToItself sends credentials of several kinds, and looks for them in the answers
// and in the log. Other checks send tokens in unusual places at the same time, so it takes a token
// of its own if it can.
func answerKeepsTokensToItself(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	good, err := unusedToken(ctx, p, trial)
	if err != nil {
		return err
	}
	tampered := attack.Tamper(good)
	const canary = "canary-that-is-not-a-token-kzqx"
	attempts := []struct{ name, credentials string }{
		{"a good token", "Bearer " + good},
		{"a bad signature", "Bearer " + tampered},
		{"no token", "Bearer " + canary},
		{"malformed credentials", "Bearer " + canary + ", Bearer " + canary},
		{"another scheme", "Basic " + canary},
	}
	for _, attempt := range attempts {
		request := trial.Request()
		request.Header.Set("Authorization", attempt.credentials)
		answer, err := p.Send(ctx, request)
		if err != nil {
			return err
		}
		text := string(answer.Body) + fmt.Sprint(answer.Header)
		for _, secret := range []string{good, tampered, canary} {
			if strings.Contains(text, secret) {
				err := p.Insecure("nothing of the credentials in the answer: "+attempt.name, "the credentials")
				return gradeLeak(err, secret == canary)
			}
		}
	}
	for _, logged := range []struct{ name, secret string }{
		{"the good token", good},
		{"a bad token", tampered},
		{"bad credentials", canary},
	} {
		// The rest of a token is often known, so its signature alone is a leak.
		signature := logged.secret[strings.LastIndexByte(logged.secret, '.')+1:]
		log := withoutAddresses(p.Log(), logged.secret)
		if strings.Contains(log, logged.secret) || strings.Contains(log, signature) {
			err := p.Insecure("nothing of "+logged.name+" in the log", "the token or its signature")
			return gradeLeak(err, logged.secret == canary)
		}
	}
	return nil
}

// withoutAddresses removes a token from the paths and queries in a log. Other checks send it there.
// A server may log the address of a request.
func withoutAddresses(log, token string) string {
	const place = `(/|[?&;][^\s"?&;]*=)(Bearer(\+|%20))?`
	return regexp.MustCompile(place+regexp.QuoteMeta(token)).ReplaceAllString(log, "$1")
}

// gradeLeak grades a leak. Credentials that are no token give no access.
func gradeLeak(err error, isCanary bool) error {
	if isCanary {
		return inputs.Graded(err, check.Policy, check.Low)
	}
	return err
}

// sharedCache matches directives that let shared caches keep an answer (RFC 9111 section 5.2.2).
var sharedCache = regexp.MustCompile(`(^|[ ,])(public|s-maxage=)`)
