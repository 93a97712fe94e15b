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

// refusalChecks returns the checks of server/refusal: a refusal comes first, costs little and
// reveals nothing.
func refusalChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/refusal/before-processing",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP authorization, Token Handling; OAuth 2.1 section 5.2",
				Sentence: "A bad token is refused whatever the message is, and before the message has an " +
					"effect.",
				Covers: []string{"server-validate-before-processing"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(refusalBeforeProcessing),
		},
		{
			Rule: check.Rule{
				ID:        "server/refusal/no-data",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP authorization, Error Handling; MCP tools, Security Considerations",
				Sentence:  "A refusal lists no tools and carries no result. That it names no session is a policy.",
				Covers:    []string{"server-no-data-on-failure"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(refusalNoData),
		},
		{
			Rule: check.Rule{
				ID:        "server/refusal/unread-body",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9110 sections 9.3 and 15.5.2",
				Sentence:  "A request without a token is refused before its body is read.",
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
				Sentence: "A bad signature, an expired token and a malformed token are refused in the same " +
					"words.",
				Covers: []string{"RS-084"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.Expired},
			Run:    refusalUniform,
		},
	}
}

// refusalBeforeProcessing sends good and bad messages with a bad token.
func refusalBeforeProcessing(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	withMessage := func(method string, params map[string]any) func(*bench.Request, string) {
		return func(r *bench.Request, _ string) {
			*r = attack.WithToken(attack.MalformedJWT, trial.Session.Message(method, params))
		}
	}
	return attack.TryVectors(ctx, p, trial, attack.Unauthorized,
		attack.Vector{
			Name:   "a good request",
			Change: attack.Authorization(func(string) string { return "Bearer " + attack.MalformedJWT }),
		},
		attack.Vector{Name: "a list of tools", Change: withMessage("tools/list", nil)},
		attack.Vector{Name: "an unknown method", Change: withMessage("unknown/method", nil)},
		attack.Vector{
			Name:   "an unknown tool",
			Change: withMessage("tools/call", map[string]any{"name": "unknown-tool", "arguments": map[string]any{}}),
		},
		attack.Vector{
			Name: "no JSON",
			Want: attack.Malformed,
			Change: func(r *bench.Request, _ string) {
				r.Header.Set("Authorization", "Bearer "+attack.MalformedJWT)
				r.Body = []byte("{")
			},
		},
		attack.Vector{
			Name: "another media type",
			Want: []int{http.StatusUnauthorized, http.StatusBadRequest, http.StatusUnsupportedMediaType},
			Change: func(r *bench.Request, _ string) {
				r.Header.Set("Authorization", "Bearer "+attack.MalformedJWT)
				r.Header.Set("Content-Type", "text/plain")
			},
		},
	)
}

// refusalNoData looks for the tools' names, a result and a session in refusals.
func refusalNoData(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	listed, err := p.Send(ctx, attack.WithToken(trial.Token, trial.Session.Message("tools/list", nil)))
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
	for _, caller := range []struct{ name, credentials string }{
		{"no token", ""},
		{"a bad token", "Bearer " + attack.MalformedJWT},
	} {
		for _, request := range []bench.Request{{Header: http.Header{}}, trial.Session.Message("tools/list", nil)} {
			if caller.credentials != "" {
				request.Header.Set("Authorization", caller.credentials)
			}
			answer, err := p.WantRefused(ctx, request)
			if err != nil {
				return err
			}
			var message struct{ Result json.RawMessage }
			if err := json.Unmarshal(answer.Body, &message); err == nil && message.Result != nil {
				return p.Insecure("no result: "+caller.name, "one in the body")
			}
			if answer.Header.Get("Mcp-Session-Id") != "" {
				return p.MismatchAt(check.Policy, "no session: "+caller.name, "Mcp-Session-Id in the answer")
			}
			for _, tool := range tools.Result.Tools {
				isQuoted := bytes.Contains(answer.Body, []byte(`"`+tool.Name+`"`))
				if isQuoted && !errorWord.MatchString(tool.Name) {
					return p.Insecure("nothing of the tools: "+caller.name, "the name "+tool.Name+" in the body")
				}
			}
		}
	}
	return nil
}

// errorWord matches words that an error has by itself, and that a tool may be called too.
var errorWord = regexp.MustCompile(
	`(?i)^(error|error_description|error_uri|code|message|msg|data|id|jsonrpc|result|status|title|type|` +
		`detail|details|reason|path|timestamp|2\.0|null|invalid_token|unauthorized)$`,
)

// refusalUnreadBody announces a body of 1 GiB, and sends none of it.
func refusalUnreadBody(ctx context.Context, p *bench.Probe) error {
	request := bench.Request{Body: []byte{}, Header: http.Header{"Content-Type": {"application/json"}}}
	conversation, err := p.Raw(ctx, p.Wire(request, "Content-Length: 1073741824", "Expect: 100-continue"))
	const want = "status 401 without a byte of the body"
	switch {
	case err != nil:
		return err
	case len(conversation.Interim) > 0:
		return p.Mismatch(want, fmt.Sprintf("status %d, which asks for the body", conversation.Interim[0]))
	case len(conversation.Answers) == 0:
		return p.Mismatch(want, "no answer")
	}
	status := conversation.Answers[0].Status
	if status/100 == 4 {
		return nil // the others, such as 413 and 417, need no body either
	}
	return p.Mismatch("status 401, or another status 4xx", attack.Describe(conversation))
}

// refusalUniform compares the refusals of three bad tokens.
func refusalUniform(ctx context.Context, p *bench.Probe) error {
	token, err := p.Control(ctx)
	if err != nil {
		return err
	}
	expired, err := p.Token(ctx, bench.Expired)
	if err != nil {
		return err
	}
	before := ""
	for _, bad := range []string{attack.Tamper(token), expired, attack.MalformedJWT} {
		answer, err := p.Send(ctx, bench.Request{Header: bench.Bearer(bad)})
		if err != nil {
			return err
		}
		if answer.Status != http.StatusUnauthorized {
			return &check.NotApplicable{
				Reason: fmt.Sprintf("one of three bad tokens is answered with status %d", answer.Status),
			}
		}
		challenge, err := p.Challenge(answer)
		if err != nil {
			return err
		}
		words := fmt.Sprintf("%s %s %q", challenge["error"], challenge["error_description"], answer.Body)
		if before != "" && words != before {
			return p.Mismatch(before, words)
		}
		before = words
	}
	return nil
}
