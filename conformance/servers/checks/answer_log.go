package checks

import (
	"bufio"
	"context"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// answerLogChecks returns the checks of server/answer about log messages to clients.
func answerLogChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/answer/log-messages",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: before(check.R20260728),
				Reference: "MCP server utilities, Logging, Security",
				Sentence:  "Log messages that the server sends to a client hold no token.",
				Covers:    []string{"server-log-no-credentials"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(answerLogMessages),
		},
		{
			Rule: check.Rule{
				ID:        "server/answer/request-log-messages",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since(check.R20260728),
				Reference: "MCP 2026-07-28 server utilities, Logging, Security",
				Sentence:  "Log messages in the answer to the request that asked for them hold no token.",
				Covers:    []string{"server-log-no-credentials"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(answerRequestLogMessages),
		},
	}
}

// answerRequestLogMessages asks for all log messages of good and bad calls.
func answerRequestLogMessages(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	ctx, cancel := context.WithTimeout(ctx, p.Patience())
	defer cancel()
	unknown := map[string]any{"name": "unknown-tool", "arguments": map[string]any{}}
	messages := 0
	for _, request := range []bench.Request{trial.Request(), trial.Session.Message("tools/call", unknown)} {
		const first = `"_meta":{`
		body := strings.Replace(string(request.Body), first, first+`"io.modelcontextprotocol/logLevel":"debug",`, 1)
		request.Body = []byte(body)
		events, err := p.Stream(ctx, attack.WithToken(trial.Token, request))
		if err != nil {
			return err
		}
		if events == nil {
			continue // the answer is a single message
		}
		for lines := bufio.NewScanner(events); lines.Scan(); {
			if strings.Contains(lines.Text(), "notifications/message") {
				messages++
			}
			if strings.Contains(lines.Text(), trial.Token) {
				_ = events.Close()
				return p.Insecure("log messages without a token", "one with the caller's token")
			}
		}
		_ = events.Close()
	}
	if messages == 0 {
		return &check.NotApplicable{Reason: "the calls caused no log message"}
	}
	return nil
}

// answerLogMessages asks for all log messages, listens, and makes good and bad calls.
func answerLogMessages(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	level := trial.Session.Message("logging/setLevel", map[string]any{"level": "debug"})
	answer, err := p.Send(ctx, attack.WithToken(trial.Token, level))
	if err != nil {
		return err
	}
	if !answer.Succeeded() {
		return &check.NotApplicable{Reason: "the server has no log messages for clients"}
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
	tampered := attack.Tamper(trial.Token)
	unknown := map[string]any{"name": "unknown-tool", "arguments": map[string]any{}}
	for _, request := range []bench.Request{
		attack.WithToken(trial.Token, trial.Request()),
		attack.WithToken(trial.Token, trial.Session.Message("tools/call", unknown)),
		attack.WithToken(tampered, trial.Request()),
	} {
		if _, err := p.Clone().Send(ctx, request); err != nil {
			return err
		}
	}
	defer time.AfterFunc(listenFor, cancel).Stop()
	messages := 0
	for lines := bufio.NewScanner(events); lines.Scan(); {
		if strings.Contains(lines.Text(), "notifications/message") {
			messages++
		}
		for _, token := range []string{trial.Token, tampered} {
			if strings.Contains(lines.Text(), token) {
				return p.Insecure("log messages without a token", "one with the caller's token")
			}
		}
	}
	if messages == 0 {
		return &check.NotApplicable{Reason: "the calls caused no log message"}
	}
	return nil
}
