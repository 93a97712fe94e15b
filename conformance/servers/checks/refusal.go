package checks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// refusalChecks are checks of server/refusal: that a refusal comes first, costs little, and gives
// nothing away.
func refusalChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/refusal/before-processing",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP authorization, Token Handling; OAuth 2.1 section 5.2",
				Sentence:  "A bad token is refused whatever the message is, and before anything is done about it.",
				Covers:    []string{"server-validate-before-processing", "RS-001"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    refusalBeforeProcessing,
		},
		{
			Rule: check.Rule{
				ID:        "server/refusal/no-data",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP authorization, Error Handling; MCP tools, Security Considerations",
				Sentence:  "A refusal lists no tools, carries no result and begins no session.",
				Covers:    []string{"server-no-data-on-failure"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    noData,
		},
		{
			Rule: check.Rule{
				ID:        "server/refusal/unread-body",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9110 section 9.3 and 15.5.2",
				Sentence:  "Who has no token is refused before the body is read.",
				Covers:    []string{"RS-071"},
			},
			Run: refusalUnreadBody,
		},
		{
			Rule: check.Rule{
				ID:        "server/refusal/uniform",
				Level:     check.Policy,
				Severity:  check.Low,
				Reference: "RFC 6750 section 3.1",
				Sentence:  "A bad signature, an expired token and what is no token are refused in the same words.",
				Covers:    []string{"RS-084"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.Expired},
			Run:    uniform,
		},
	}
}

// refusalBeforeProcessing tries server/refusal/before-processing.
func refusalBeforeProcessing(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	says := func(method string, params map[string]any) func(*bench.Request, string) {
		return func(r *bench.Request, _ string) {
			*r = trial.Session.Message(method, params)
			r.Header.Set("Authorization", "Bearer "+bad)
		}
	}
	return attack.Deny(ctx, p, trial, attack.Unauthorized,
		attack.Vector{
			Name:   "a good request",
			Change: attack.Authorization(func(string) string { return "Bearer " + bad }),
		},
		attack.Vector{Name: "a list of tools", Change: says("tools/list", nil)},
		attack.Vector{Name: "an unknown method", Change: says("no/such-method", nil)},
		attack.Vector{
			Name:   "an unknown tool",
			Change: says("tools/call", map[string]any{"name": "no-such-tool", "arguments": map[string]any{}}),
		},
		attack.Vector{
			Name: "no JSON",
			Want: attack.BadOrNot,
			Change: func(r *bench.Request, _ string) {
				r.Header.Set("Authorization", "Bearer "+bad)
				r.Body = []byte("{")
			},
		},
		attack.Vector{
			Name: "another media type",
			Want: []int{http.StatusUnauthorized, http.StatusBadRequest, http.StatusUnsupportedMediaType},
			Change: func(r *bench.Request, _ string) {
				r.Header.Set("Authorization", "Bearer "+bad)
				r.Header.Set("Content-Type", "text/plain")
			},
		},
	)
}

// refusalUnreadBody tries server/refusal/unread-body.
func refusalUnreadBody(ctx context.Context, p *bench.Probe) error {
	request := bench.Request{Body: []byte{}, Header: http.Header{"Content-Type": {"application/json"}}}
	said, err := p.Raw(ctx, p.Wire(request, "Content-Length: 1073741824", "Expect: 100-continue"))
	switch {
	case err != nil:
		return err
	case len(said.Interim) > 0:
		return p.Mismatch(
			"status 401 without a byte of the body",
			fmt.Sprintf("status %d, which asks for the body", said.Interim[0]),
		)
	case len(said.Answers) == 0:
		return p.Mismatch("status 401 without a byte of the body", "no answer")
	case said.Answers[0].Status == http.StatusUnauthorized, said.Answers[0].Status == http.StatusRequestEntityTooLarge:
		return nil
	}
	return p.Mismatch("status 401, or 413", attack.Describe(said))
}

func noData(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	list := trial.Session.Message("tools/list", nil)
	list.Header.Set("Authorization", "Bearer "+trial.Token)
	listed, err := p.Send(ctx, list)
	if err != nil {
		return err
	}
	var tools struct {
		Result struct {
			Tools []struct {
				Name string `json:"name"`
			} `json:"tools"`
		} `json:"result"`
	}
	_ = json.Unmarshal(listed.Body, &tools) // a server without tools lists none
	for name, credentials := range map[string]string{"no token": "", "a bad token": "Bearer " + bad} {
		for _, request := range []bench.Request{{Header: http.Header{}}, trial.Session.Message("tools/list", nil)} {
			if credentials != "" {
				request.Header.Set("Authorization", credentials)
			}
			answer, err := p.WantRefused(ctx, request)
			if err != nil {
				return err
			}
			var message struct{ Result json.RawMessage }
			if json.Unmarshal(answer.Body, &message) == nil && message.Result != nil {
				return p.Insecure("no result: "+name, "one in the body")
			}
			if answer.Header.Get("Mcp-Session-Id") != "" {
				return p.Mismatch("no session: "+name, "Mcp-Session-Id in the answer")
			}
			for _, tool := range tools.Result.Tools {
				if bytes.Contains(answer.Body, []byte(`"`+tool.Name+`"`)) {
					return p.Insecure("nothing of the tools: "+name, "the name "+tool.Name+" in the body")
				}
			}
		}
	}
	return nil
}

func uniform(ctx context.Context, p *bench.Probe) error {
	token, err := p.Control(ctx)
	if err != nil {
		return err
	}
	expired, err := p.Token(ctx, bench.Expired)
	if err != nil {
		return err
	}
	before := ""
	for _, one := range []string{tamper(token), expired, bad} {
		answer, err := p.Send(ctx, bench.Request{Header: bench.Bearer(one)})
		if err != nil {
			return err
		}
		if answer.Status != http.StatusUnauthorized {
			return &check.NotApplicable{
				Reason: fmt.Sprintf("one of three bad tokens is answered with status %d", answer.Status),
			}
		}
		found, err := p.Challenge(answer)
		if err != nil {
			return err
		}
		words := fmt.Sprintf("%s %s %q", found["error"], found["error_description"], answer.Body)
		if before != "" && words != before {
			return p.Mismatch(before, words)
		}
		before = words
	}
	return nil
}
