package checks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// scopeListedChecks returns the checks of server/scope about data that the server lists.
func scopeListedChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/scope/listed-data",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP resources, prompts and completion, Security Considerations",
				Sentence: "A token without the required scope reads none of the resources and prompts that " +
					"the server lists, and completes none of their arguments.",
				Covers: []string{"server-resource-access-control", "server-completion-access-control"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Run:    attack.WithTrial(scopeListedData),
		},
		{
			Rule: check.Rule{
				ID:        "server/scope/no-data",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP authorization, Error Handling; MCP tools, Security Considerations",
				Sentence:  "A 403 for a missing scope lists no tools and starts no session.",
				Covers:    []string{"server-no-data-on-failure"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Run:    attack.WithTrial(scopeNoData),
		},
	}
}

// scopeListedData reads the first resource and the first prompt with a good token, and then with a
// token that lacks the scope.
func scopeListedData(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	token, err := p.Token(ctx, bench.WithoutScope)
	if err != nil {
		return err
	}
	methods, err := listedData(ctx, p, trial, token)
	if err != nil {
		return err
	}
	served := 0
	for _, method := range methods {
		request := attack.WithToken(trial.Token, trial.Session.Message(method.name, method.params))
		answer, err := p.Send(ctx, request)
		if err != nil {
			return err
		}
		if !answer.Succeeded() {
			continue // for example, a prompt that wants other arguments
		}
		served++
		request = attack.WithToken(token, trial.Session.Message(method.name, method.params))
		answer, err = p.Send(ctx, request)
		if err != nil {
			return err
		}
		if answer.Succeeded() {
			return p.Insecure("a refusal of "+method.name+" for what the server lists", "the result")
		}
	}
	if served == 0 {
		return &check.NotApplicable{Reason: "the server lists nothing that can be read"}
	}
	return nil
}

// listed are the members of a list's result that name what can be read.
type listed struct {
	Result struct {
		Resources []struct {
			URI string `json:"uri"`
		} `json:"resources"`
		Prompts []struct {
			Name      string `json:"name"`
			Arguments []struct {
				Name string `json:"name"`
			} `json:"arguments"`
		} `json:"prompts"`
	} `json:"result"`
}

// listedData returns the requests that read what the server lists. A server that lists it to a
// token without the scope too breaks another rule.
func listedData(ctx context.Context, p *bench.Probe, trial *bench.Trial, without string) ([]readMethod, error) {
	var found listed
	for _, list := range []string{"resources/list", "prompts/list"} {
		answer, err := p.Send(ctx, attack.WithToken(trial.Token, trial.Session.Message(list, nil)))
		if err != nil {
			return nil, err
		}
		_ = json.Unmarshal(answer.Body, &found) // a server without the list answers with an error
		answer, err = p.Send(ctx, attack.WithToken(without, trial.Session.Message(list, nil)))
		if err != nil {
			return nil, err
		}
		if answer.Succeeded() {
			return nil, &check.Skipped{
				Of:     "server/scope/every-method",
				Reason: "a token that lacks the scope gets the list of " + list,
			}
		}
	}
	var methods []readMethod
	if resources := found.Result.Resources; len(resources) > 0 {
		methods = append(methods, readMethod{"resources/read", map[string]any{"uri": resources[0].URI}})
	}
	if len(found.Result.Prompts) == 0 {
		return methods, nil
	}
	prompt := found.Result.Prompts[0]
	arguments := map[string]any{}
	for _, argument := range prompt.Arguments {
		arguments[argument.Name] = "x"
	}
	methods = append(methods, readMethod{"prompts/get", map[string]any{"name": prompt.Name, "arguments": arguments}})
	if len(prompt.Arguments) > 0 {
		methods = append(methods, readMethod{"completion/complete", map[string]any{
			"ref":      map[string]any{"type": "ref/prompt", "name": prompt.Name},
			"argument": map[string]any{"name": prompt.Arguments[0].Name, "value": ""},
		}})
	}
	return methods, nil
}

// scopeNoData looks for the tools' names and a session in the 403.
func scopeNoData(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	names, err := toolNames(ctx, p, trial)
	if err != nil {
		return err
	}
	token, err := p.Token(ctx, bench.WithoutScope)
	if err != nil {
		return err
	}
	for _, request := range []bench.Request{{Header: http.Header{}}, trial.Session.Message("tools/list", nil)} {
		answer, err := p.Send(ctx, attack.WithToken(token, request))
		if err != nil {
			return err
		}
		if answer.Status != http.StatusForbidden {
			return &check.NotApplicable{
				Reason: fmt.Sprintf("a token that lacks the scope is answered with status %d", answer.Status),
			}
		}
		if answer.Header.Get("Mcp-Session-Id") != "" {
			return p.MismatchAt(check.Policy, "no session in a 403", "Mcp-Session-Id in the answer")
		}
		for _, name := range names {
			isQuoted := bytes.Contains(answer.Body, []byte(`"`+name+`"`))
			if isQuoted && !errorWord.MatchString(name) && !scopeWord.MatchString(name) {
				return p.Insecure("nothing of the tools in a 403", "the name "+name+" in the body")
			}
		}
	}
	return nil
}

// scopeWord matches words that a refusal for a missing scope has by itself.
var scopeWord = regexp.MustCompile(`(?i)^(scopes?|required_scopes?|insufficient_scope|forbidden|access_denied)$`)

// toolNames returns the names of the tools that the good token's user sees.
func toolNames(ctx context.Context, p *bench.Probe, trial *bench.Trial) ([]string, error) {
	answer, err := p.Send(ctx, attack.WithToken(trial.Token, trial.Session.Message("tools/list", nil)))
	if err != nil {
		return nil, err
	}
	var tools struct {
		Result struct {
			Tools []struct {
				Name string `json:"name"`
			} `json:"tools"`
		} `json:"result"`
	}
	_ = json.Unmarshal(answer.Body, &tools) // a server without tools lists none
	var names []string
	for _, tool := range tools.Result.Tools {
		names = append(names, tool.Name)
	}
	return names, nil
}
