package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// scopeChecks returns the checks of server/scope about what a token without the required scope can
// do (MCP authorization, Scope Challenge Handling).
func scopeChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/scope/enforced",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP tools, Security Considerations; OAuth 2.1 section 5.2",
				Sentence:  "A request has no effect if its token lacks the required scope.",
				Covers:    []string{"server-scope-enforced"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Run:    scopeEnforced,
		},
		{
			Rule: check.Rule{
				ID:        "server/scope/every-method",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP resources and completion, Security Considerations; OAuth 2.1 section 5.2",
				Sentence: "A token without the required scope gets nothing from any method: no prompt or " +
					"completion, and (SHOULD) no list or resource.",
				Covers: []string{
					"server-scope-enforced",
					"server-resource-access-control",
					"server-completion-access-control",
				},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Run:    attack.WithTrial(scopeEveryMethod),
		},
		{
			Rule: check.Rule{
				ID:        "server/scope/hierarchy",
				Level:     check.Must,
				Revisions: since(check.R20260728),
				Reference: "MCP 2026-07-28 authorization, Runtime Insufficient Scope Errors",
				Sentence:  "A token whose scope includes the required one is served.",
				Covers:    []string{"server-scope-hierarchy"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope, bench.BroaderScope},
			Run:    scopeHierarchy,
		},
	}
}

// scopeEnforced tries server/scope/enforced.
func scopeEnforced(ctx context.Context, p *bench.Probe) error {
	trial, answer, request, err := sendWithoutScope(ctx, p)
	switch {
	case err != nil:
		return err
	case trial.Ran(request):
		return p.Insecure("the tool not to run", fmt.Sprintf("status %d, and the tool ran", answer.Status))
	case answer.Succeeded() && !isToolError(answer):
		return p.Insecure("a refusal", "the result of the request")
	}
	return nil
}

// sendWithoutScope sends the request of a trial with a token that lacks the required scope.
func sendWithoutScope(ctx context.Context, p *bench.Probe) (*bench.Trial, *bench.Answer, bench.Request, error) {
	trial, err := p.Trial(ctx)
	if err != nil {
		return nil, nil, bench.Request{}, err
	}
	token, err := p.Token(ctx, bench.WithoutScope)
	if err != nil {
		return nil, nil, bench.Request{}, err
	}
	request := attack.WithToken(token, trial.Request())
	answer, err := p.Send(ctx, request)
	return trial, answer, request, err
}

// isToolError reports whether a result says that the tool failed.
func isToolError(answer *bench.Answer) bool {
	var message struct {
		Result struct {
			IsError bool `json:"isError"`
		} `json:"result"`
	}
	err := json.Unmarshal(answer.Body, &message)
	return err == nil && message.Result.IsError
}

// protected are the methods whose access control is a MUST (MCP prompts and completion, Security
// Considerations).
var protected = []string{"prompts/get", "completion/complete"}

// A readMethod is a method that lets a server reveal data.
type readMethod struct {
	name   string
	params map[string]any
}

// scopeEveryMethod calls each method with a good token, and then with one that lacks the scope.
func scopeEveryMethod(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	token, err := p.Token(ctx, bench.WithoutScope)
	if err != nil {
		return err
	}
	served := 0
	err = inputs.TryAll(readMethods(), func(method readMethod) error {
		message := trial.Session.Message(method.name, method.params)
		answer, err := p.Send(ctx, attack.WithToken(trial.Token, message))
		if err != nil || !answer.Succeeded() {
			return err // the server does not have the method
		}
		served++
		message = trial.Session.Message(method.name, method.params)
		answer, err = p.Send(ctx, attack.WithToken(token, message))
		switch {
		case err != nil || !answer.Succeeded():
			return err
		case slices.Contains(protected, method.name):
			return p.Insecure("a refusal of "+method.name, "the result")
		}
		return inputs.Graded(p.Insecure("a refusal of "+method.name, "the result"), check.Should, check.Medium)
	})
	if err == nil && served == 0 {
		return &check.NotApplicable{Reason: "the server has neither lists nor anything to read"}
	}
	return err
}

func readMethods() []readMethod {
	prompt := map[string]any{"type": "ref/prompt", "name": "x"}
	argument := map[string]any{"name": "x", "value": ""}
	return []readMethod{
		{"tools/list", nil},
		{"resources/list", nil},
		{"resources/templates/list", nil},
		{"prompts/list", nil},
		{"resources/read", map[string]any{"uri": "file:///x"}},
		{"prompts/get", map[string]any{"name": "x", "arguments": map[string]any{}}},
		{"completion/complete", map[string]any{"ref": prompt, "argument": argument}},
	}
}

// scopeHierarchy tries server/scope/hierarchy.
func scopeHierarchy(ctx context.Context, p *bench.Probe) error {
	trial, answer, _, err := sendWithoutScope(ctx, p)
	switch {
	case err != nil:
		return err
	case answer.Succeeded():
		return &check.CannotJudge{Reason: "the control failed: a token with another scope is served"}
	}
	token, err := p.Token(ctx, bench.BroaderScope)
	if err != nil {
		return err
	}
	answer, err = p.Send(ctx, attack.WithToken(token, trial.Request()))
	if err == nil && !answer.Succeeded() {
		return p.Mismatch("the result of a token with the broader scope", fmt.Sprintf("status %d", answer.Status))
	}
	return err
}
