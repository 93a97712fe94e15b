package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/engine"
)

// withScopes are the revisions that say what a 403 carries.
var withScopes = []engine.Revision{engine.R20251125, engine.R20260728}

// scope: what becomes of a token that is good but for a scope that every request needs (MCP authorization, Scope Challenge Handling; RFC 6750 section 3.1).
func scope() []engine.Check {
	needs := []engine.TokenKind{engine.Good, engine.WithoutScope}
	const reference = "MCP 2025-11-25 authorization, Runtime Insufficient Scope Errors; RFC 6750 section 3.1"
	return []engine.Check{
		{
			ID: "server/scope/enforced", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: needs,
			Covers:    []string{"server-scope-enforced"},
			Reference: "MCP tools, Security Considerations; OAuth 2.1 section 5.2",
			Sentence:  "Nothing is done for a token that lacks the scope that is needed.",
			Run: func(ctx context.Context, p *engine.Probe) error {
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
			},
		},
		{
			ID: "server/scope/every-method", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: needs,
			Covers:    []string{"server-scope-enforced", "server-resource-access-control", "server-completion-access-control"},
			Reference: "MCP resources and completion, Security Considerations; OAuth 2.1 section 5.2",
			Sentence:  "A token that lacks the scope that is needed has nothing of any method: no list, resource, prompt or completion.",
			Run:       everyMethod,
		},
		{
			ID: "server/scope/hierarchy", Role: engine.Server, Level: engine.Must, Revisions: []engine.Revision{engine.R20260728}, Covers: []string{"server-scope-hierarchy"},
			Needs:     []engine.TokenKind{engine.Good, engine.WithoutScope, engine.BroaderScope},
			Reference: "MCP 2026-07-28 authorization, Runtime Insufficient Scope Errors",
			Sentence:  "A token whose scope contains the one that is needed is served.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				trial, answer, _, err := scopeless(ctx, p)
				switch {
				case err != nil:
					return err
				case answer.Succeeded():
					return &engine.CannotJudge{Reason: "the control failed: a token with another scope is served"}
				}
				token, err := p.Token(ctx, engine.BroaderScope)
				if err != nil {
					return err
				}
				if answer, err = p.Send(ctx, as(token, trial.Request())); err == nil && !answer.Succeeded() {
					return p.Mismatch("the result of a token with the broader scope", fmt.Sprintf("status %d", answer.Status))
				}
				return err
			},
		},
		{
			ID: "server/scope/status", Role: engine.Server, Level: engine.Must, EachRevision: true, Needs: needs, Covers: []string{"server-403-insufficient-scope"},
			Reference: "MCP authorization, Error Handling; RFC 6750 section 3.1",
			Sentence:  "A token that lacks the scope that is needed is refused with 403.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				_, answer, _, err := scopeless(ctx, p)
				if err != nil || answer.Status == http.StatusForbidden {
					return err
				}
				level := engine.Must
				if slices.Contains(withScopes, p.Revision) {
					level = engine.Should // the section on runtime errors takes the MUST back
				}
				return p.Lesser(level, "status 403", fmt.Sprintf("status %d", answer.Status))
			},
		},
		{
			ID: "server/scope/error-code", Role: engine.Server, Level: engine.Should, Revisions: withScopes, Needs: needs, Covers: []string{"server-403-error-code"},
			Reference: reference,
			Sentence:  "The challenge of the 403 says error=\"insufficient_scope\".",
			Run: func(ctx context.Context, p *engine.Probe) error {
				_, found, err := forbidden(ctx, p)
				if err == nil && found["error"] != "insufficient_scope" {
					return p.Mismatch("error=\"insufficient_scope\"", fmt.Sprintf("%q", found["error"]))
				}
				return err
			},
		},
		{
			ID: "server/scope/named", Role: engine.Server, Level: engine.Should, Revisions: withScopes, Needs: needs, Covers: []string{"server-403-scope", "server-403-precise-scope"},
			Reference: reference,
			Sentence:  "The challenge of the 403 names the scopes that the operation needs.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				_, found, err := forbidden(ctx, p)
				if err == nil && strings.TrimSpace(found["scope"]) == "" {
					return p.Mismatch("a parameter scope", "none")
				}
				return err
			},
		},
		{
			ID: "server/scope/resource-metadata", Role: engine.Server, Level: engine.Should, Revisions: withScopes, Needs: needs, Covers: []string{"server-403-resource-metadata"},
			Reference: reference,
			Sentence:  "The challenge of the 403 names the same metadata as that of a 401.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				_, before, err := bare(ctx, p)
				if err != nil {
					return err
				}
				_, found, err := forbidden(ctx, p)
				if err == nil && before["resource_metadata"] != "" && found["resource_metadata"] != before["resource_metadata"] {
					return p.Mismatch("resource_metadata="+before["resource_metadata"], found["resource_metadata"])
				}
				return err
			},
		},
		{
			ID: "server/scope/stable", Role: engine.Server, Level: engine.Should, Revisions: withScopes, Needs: needs,
			Covers:    []string{"server-401-scope-consistent", "server-403-consistent"},
			Reference: "MCP 2025-11-25 authorization, Runtime Insufficient Scope Errors",
			Sentence:  "The same request is asked for the same scopes each time.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				for _, ask := range []func(context.Context, *engine.Probe) (*engine.Answer, engine.Challenge, error){bare, forbidden} {
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
			},
		},
		{
			ID: "server/scope/challenged-scopes-suffice", Role: engine.Server, Level: engine.Should, Revisions: withScopes, Needs: needs, NeedsMint: true,
			Covers:    []string{"server-403-single-challenge", "server-403-upgraded-token-works", "server-downscope-tolerance"},
			Reference: "MCP 2026-07-28 authorization, Runtime Insufficient Scope Errors; MCP security best practices, Scope Minimization",
			Sentence:  "A token with the scopes that the challenge names, and no others, is served.",
			Run:       challengedScopesSuffice,
		},
	}
}

// scopeless sends the request of a trial with the token that lacks the scope.
func scopeless(ctx context.Context, p *engine.Probe) (*engine.Trial, *engine.Answer, engine.Request, error) {
	trial, err := p.Trial(ctx)
	if err != nil {
		return nil, nil, engine.Request{}, err
	}
	token, err := p.Token(ctx, engine.WithoutScope)
	if err != nil {
		return nil, nil, engine.Request{}, err
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
		"tools/list": nil, "resources/list": nil, "resources/templates/list": nil, "prompts/list": nil,
		"resources/read": {"uri": "file:///x"}, "prompts/get": {"name": "x", "arguments": map[string]any{}},
		"completion/complete": {"ref": reference, "argument": map[string]any{"name": "x", "value": ""}},
	}
}

func everyMethod(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	token, err := p.Token(ctx, engine.WithoutScope)
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
		return &engine.NotApplicable{Reason: "the server has neither lists nor anything to read"}
	}
	return nil
}

// forbidden is the 403 to a token that lacks the scope, and its challenge.
func forbidden(ctx context.Context, p *engine.Probe) (*engine.Answer, engine.Challenge, error) {
	_, answer, _, err := scopeless(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	if answer.Status != http.StatusForbidden {
		return nil, nil, &engine.NotApplicable{Reason: fmt.Sprintf("a token that lacks the scope is answered with status %d and not 403", answer.Status)}
	}
	found, err := p.Challenge(answer)
	return answer, found, err
}

// isToolError reports whether a result says that the tool failed.
func isToolError(answer *engine.Answer) bool {
	var message struct {
		Result struct {
			IsError bool `json:"isError"`
		} `json:"result"`
	}
	return json.Unmarshal(answer.Body, &message) == nil && message.Result.IsError
}

func challengedScopesSuffice(ctx context.Context, p *engine.Probe) error {
	_, found, err := forbidden(ctx, p)
	if err != nil {
		return err
	}
	named := strings.Fields(found["scope"])
	if len(named) == 0 {
		return &engine.NotApplicable{Reason: "the challenge of the 403 names no scope"}
	}
	token, err := p.Mint(ctx, engine.Edits{Claims: func(claims map[string]any) {
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
	answer, err := p.Send(ctx, engine.Request{Header: engine.Bearer(token)})
	if err == nil && !answer.Succeeded() {
		return p.Mismatch("the result with the scopes "+strings.Join(named, " "), fmt.Sprintf("status %d", answer.Status))
	}
	return err
}
