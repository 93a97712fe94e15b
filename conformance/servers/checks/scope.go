package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// scopeChecks are checks of server/scope: what becomes of a token that is good but for a scope that
// every request needs (MCP authorization, Scope Challenge Handling; RFC 6750 section 3.1).
func scopeChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/scope/enforced",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP tools, Security Considerations; OAuth 2.1 section 5.2",
				Sentence:  "Nothing is done for a token that lacks the scope that is needed.",
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
				Sentence: "A token that lacks the scope that is needed has nothing of any method: no list, resource, " +
					"prompt or completion.",
				Covers: []string{
					"server-scope-enforced",
					"server-resource-access-control",
					"server-completion-access-control",
				},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Run:    everyMethod,
		},
		{
			Rule: check.Rule{
				ID:        "server/scope/hierarchy",
				Level:     check.Must,
				Revisions: []check.Revision{check.R20260728},
				Reference: "MCP 2026-07-28 authorization, Runtime Insufficient Scope Errors",
				Sentence:  "A token whose scope contains the one that is needed is served.",
				Covers:    []string{"server-scope-hierarchy"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope, bench.BroaderScope},
			Run:    scopeHierarchy,
		},
		{
			Rule: check.Rule{
				ID:           "server/scope/status",
				Level:        check.Must,
				EachRevision: true,
				Reference:    "MCP authorization, Error Handling; RFC 6750 section 3.1",
				Sentence:     "A token that lacks the scope that is needed is refused with 403.",
				Covers:       []string{"server-403-insufficient-scope"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Run:    scopeStatus,
		},
		{
			Rule: check.Rule{
				ID:        "server/scope/error-code",
				Level:     check.Should,
				Revisions: withScopes,
				Reference: "MCP 2025-11-25 authorization, Runtime Insufficient Scope Errors; RFC 6750 section 3.1",
				Sentence:  "The challenge of the 403 says error=\"insufficient_scope\".",
				Covers:    []string{"server-403-error-code"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Run:    scopeErrorCode,
		},
		{
			Rule: check.Rule{
				ID:        "server/scope/named",
				Level:     check.Should,
				Revisions: withScopes,
				Reference: "MCP 2025-11-25 authorization, Runtime Insufficient Scope Errors; RFC 6750 section 3.1",
				Sentence:  "The challenge of the 403 names the scopes that the operation needs.",
				Covers:    []string{"server-403-scope", "server-403-precise-scope"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Run:    scopeNamed,
		},
		{
			Rule: check.Rule{
				ID:        "server/scope/resource-metadata",
				Level:     check.Should,
				Revisions: withScopes,
				Reference: "MCP 2025-11-25 authorization, Runtime Insufficient Scope Errors; RFC 6750 section 3.1",
				Sentence:  "The challenge of the 403 names the same metadata as that of a 401.",
				Covers:    []string{"server-403-resource-metadata"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Run:    scopeResourceMetadata,
		},
		{
			Rule: check.Rule{
				ID:        "server/scope/stable",
				Level:     check.Should,
				Revisions: withScopes,
				Reference: "MCP 2025-11-25 authorization, Runtime Insufficient Scope Errors",
				Sentence:  "The same request is asked for the same scopes each time.",
				Covers:    []string{"server-401-scope-consistent", "server-403-consistent"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Run:    scopeStable,
		},
		{
			Rule: check.Rule{
				ID:        "server/scope/challenged-scopes-suffice",
				Level:     check.Should,
				Revisions: withScopes,
				Reference: "MCP 2026-07-28 authorization, Runtime Insufficient Scope Errors; MCP security best " +
					"practices, Scope Minimization",
				Sentence: "A token with the scopes that the challenge names, and no others, is served.",
				Covers: []string{
					"server-403-single-challenge",
					"server-403-upgraded-token-works",
					"server-downscope-tolerance",
				},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    challengedScopesSuffice,
		},
	}
}

// scopeEnforced tries server/scope/enforced.
func scopeEnforced(ctx context.Context, p *bench.Probe) error {
	trial, answer, request, err := scopeless(ctx, p)
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

// scopeHierarchy tries server/scope/hierarchy.
func scopeHierarchy(ctx context.Context, p *bench.Probe) error {
	trial, answer, _, err := scopeless(ctx, p)
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
	if answer, err = p.Send(ctx, as(token, trial.Request())); err == nil && !answer.Succeeded() {
		return p.Mismatch("the result of a token with the broader scope", fmt.Sprintf("status %d", answer.Status))
	}
	return err
}

// scopeStatus tries server/scope/status.
func scopeStatus(ctx context.Context, p *bench.Probe) error {
	_, answer, _, err := scopeless(ctx, p)
	if err != nil || answer.Status == http.StatusForbidden {
		return err
	}
	level := check.Must
	if slices.Contains(withScopes, p.Revision) {
		level = check.Should // the section on runtime errors takes the MUST back
	}
	return p.MismatchAt(level, "status 403", fmt.Sprintf("status %d", answer.Status))
}

// scopeErrorCode tries server/scope/error-code.
func scopeErrorCode(ctx context.Context, p *bench.Probe) error {
	_, found, err := forbidden(ctx, p)
	if err == nil && found["error"] != "insufficient_scope" {
		return p.Mismatch("error=\"insufficient_scope\"", fmt.Sprintf("%q", found["error"]))
	}
	return err
}

// scopeNamed tries server/scope/named.
func scopeNamed(ctx context.Context, p *bench.Probe) error {
	_, found, err := forbidden(ctx, p)
	if err == nil && strings.TrimSpace(found["scope"]) == "" {
		return p.Mismatch("a parameter scope", "none")
	}
	return err
}

// scopeResourceMetadata tries server/scope/resource-metadata.
func scopeResourceMetadata(ctx context.Context, p *bench.Probe) error {
	_, before, err := attack.Bare(ctx, p)
	if err != nil {
		return err
	}
	_, found, err := forbidden(ctx, p)
	if err == nil && before["resource_metadata"] != "" && found["resource_metadata"] != before["resource_metadata"] {
		return p.Mismatch("resource_metadata="+before["resource_metadata"], found["resource_metadata"])
	}
	return err
}

// scopeStable tries server/scope/stable.
func scopeStable(ctx context.Context, p *bench.Probe) error {
	for _, ask := range []func(context.Context, *bench.Probe) (*bench.Answer, bench.Challenge, error){
		attack.Bare,
		forbidden,
	} {
		var before []string
		for range 3 {
			_, found, err := ask(ctx, p)
			if err != nil {
				return err
			}
			named := slices.Sorted(slices.Values(strings.Fields(found["scope"])))
			if before != nil && !slices.Equal(before, named) {
				return p.Mismatch(strings.Join(before, " "), strings.Join(named, " "))
			}
			before = named
		}
	}
	return nil
}

// withScopes are the revisions that say what a 403 carries.
var withScopes = []check.Revision{check.R20251125, check.R20260728}

// scopeless sends the request of a trial with the token that lacks the scope.
func scopeless(ctx context.Context, p *bench.Probe) (*bench.Trial, *bench.Answer, bench.Request, error) {
	trial, err := p.Trial(ctx)
	if err != nil {
		return nil, nil, bench.Request{}, err
	}
	token, err := p.Token(ctx, bench.WithoutScope)
	if err != nil {
		return nil, nil, bench.Request{}, err
	}
	request := trial.Request()
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := p.Send(ctx, request)
	return trial, answer, request, err
}

// methods are those with which a server gives something away.
func methods() map[string]map[string]any {
	reference := map[string]any{"type": "ref/prompt", "name": "x"}
	return map[string]map[string]any{
		"tools/list":               nil,
		"resources/list":           nil,
		"resources/templates/list": nil,
		"prompts/list":             nil,
		"resources/read":           {"uri": "file:///x"},
		"prompts/get":              {"name": "x", "arguments": map[string]any{}},
		"completion/complete":      {"ref": reference, "argument": map[string]any{"name": "x", "value": ""}},
	}
}

func everyMethod(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	token, err := p.Token(ctx, bench.WithoutScope)
	if err != nil {
		return err
	}
	served := 0
	for method, params := range methods() {
		answer, err := p.Send(ctx, as(trial.Token, trial.Session.Message(method, params)))
		if err != nil {
			return err
		}
		if !answer.Succeeded() {
			continue // it has no such thing
		}
		served++
		if answer, err = p.Send(ctx, as(token, trial.Session.Message(method, params))); err != nil {
			return err
		}
		if answer.Succeeded() {
			return p.Insecure("a refusal of "+method, "the result")
		}
	}
	if served == 0 {
		return &check.NotApplicable{Reason: "the server has neither lists nor anything to read"}
	}
	return nil
}

// forbidden is the 403 to a token that lacks the scope, and its challenge.
func forbidden(ctx context.Context, p *bench.Probe) (*bench.Answer, bench.Challenge, error) {
	_, answer, _, err := scopeless(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	if answer.Status != http.StatusForbidden {
		return nil, nil, &check.NotApplicable{
			Reason: fmt.Sprintf("a token that lacks the scope is answered with status %d and not 403", answer.Status),
		}
	}
	found, err := p.Challenge(answer)
	return answer, found, err
}

// isToolError reports whether a result says that the tool failed.
func isToolError(answer *bench.Answer) bool {
	var message struct {
		Result struct {
			IsError bool `json:"isError"`
		} `json:"result"`
	}
	return json.Unmarshal(answer.Body, &message) == nil && message.Result.IsError
}

func challengedScopesSuffice(ctx context.Context, p *bench.Probe) error {
	_, found, err := forbidden(ctx, p)
	if err != nil {
		return err
	}
	named := strings.Fields(found["scope"])
	if len(named) == 0 {
		return &check.NotApplicable{Reason: "the challenge of the 403 names no scope"}
	}
	token, err := p.Mint(ctx, bench.Edits{Claims: func(claims map[string]any) {
		if _, entra := claims["scp"]; entra {
			// Entra is asked for api://…/name and writes name into the token.
			for i, one := range named {
				named[i] = one[strings.LastIndexByte(one, '/')+1:]
			}
			claims["scp"] = strings.Join(named, " ")
			return
		}
		claims["scope"] = strings.Join(named, " ")
	}})
	if err != nil {
		return err
	}
	answer, err := p.Send(ctx, bench.Request{Header: bench.Bearer(token)})
	if err == nil && !answer.Succeeded() {
		return p.Mismatch(
			"the result with the scopes "+strings.Join(named, " "),
			fmt.Sprintf("status %d", answer.Status),
		)
	}
	return err
}
