package checks

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/conformance/engine"
)

// refusal: that a refusal comes first, costs little, and gives nothing away.
func refusal() []engine.Check {
	good := []engine.TokenKind{engine.Good}
	return []engine.Check{
		{
			ID: "server/refusal/before-processing", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: good,
			Covers:    []string{"server-validate-before-processing", "RS-001"},
			Reference: "MCP authorization, Token Handling; OAuth 2.1 section 5.2",
			Sentence:  "A bad token is refused whatever the message is, and before anything is done about it.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				trial, err := p.Trial(ctx)
				if err != nil {
					return err
				}
				says := func(method string, params map[string]any) func(*engine.Request, string) {
					return func(r *engine.Request, _ string) {
						*r = trial.Session.Message(method, params)
						r.Header.Set("Authorization", "Bearer "+bad)
					}
				}
				return deny(ctx, p, trial, unauthorized,
					vector{name: "a good request", change: authorization(func(string) string { return "Bearer " + bad })},
					vector{name: "a list of tools", change: says("tools/list", nil)},
					vector{name: "an unknown method", change: says("no/such-method", nil)},
					vector{name: "an unknown tool", change: says("tools/call", map[string]any{"name": "no-such-tool", "arguments": map[string]any{}})},
					vector{name: "no JSON", want: badOrNot, change: func(r *engine.Request, _ string) {
						r.Header.Set("Authorization", "Bearer "+bad)
						r.Body = []byte("{")
					}},
					vector{name: "another media type", want: []int{http.StatusUnauthorized, http.StatusBadRequest, http.StatusUnsupportedMediaType}, change: func(r *engine.Request, _ string) {
						r.Header.Set("Authorization", "Bearer "+bad)
						r.Header.Set("Content-Type", "text/plain")
					}},
				)
			},
		},
		{
			ID: "server/refusal/no-data", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, Covers: []string{"server-no-data-on-failure"},
			Reference: "MCP authorization, Error Handling; MCP tools, Security Considerations",
			Sentence:  "A refusal lists no tools, carries no result and begins no session.",
			Run:       noData,
		},
		{
			ID: "server/refusal/unread-body", Role: engine.Server, Level: engine.Policy, Severity: engine.High, Covers: []string{"RS-071"},
			Reference: "RFC 9110 section 9.3 and 15.5.2",
			Sentence:  "Who has no token is refused before the body is read.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				request := engine.Request{Body: []byte{}, Header: http.Header{"Content-Type": {"application/json"}}}
				said, err := p.Raw(ctx, p.Wire(request, "Content-Length: 1073741824", "Expect: 100-continue"))
				switch {
				case err != nil:
					return err
				case len(said.Interim) > 0:
					return p.Mismatch("status 401 without a byte of the body", fmt.Sprintf("status %d, which asks for the body", said.Interim[0]))
				case len(said.Answers) == 0:
					return p.Mismatch("status 401 without a byte of the body", "no answer")
				case said.Answers[0].Status == http.StatusUnauthorized, said.Answers[0].Status == http.StatusRequestEntityTooLarge:
					return nil
				}
				return p.Mismatch("status 401, or 413", describe(said))
			},
		},
		{
			ID: "server/refusal/uniform", Role: engine.Server, Level: engine.Policy, Severity: engine.Low, Needs: []engine.TokenKind{engine.Good, engine.Expired}, Covers: []string{"RS-084"},
			Reference: "RFC 6750 section 3.1",
			Sentence:  "A bad signature, an expired token and what is no token are refused in the same words.",
			Run:       uniform,
		},
		{
			ID: "server/challenge/injection", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, Covers: []string{"RS-080"},
			Reference: "RFC 9110 section 5.5; RFC 6750 section 3",
			Sentence:  "Nothing that a request says gets into the challenge, and no header into the answer.",
			Run:       injection,
		},
	}
}

func noData(ctx context.Context, p *engine.Probe) error {
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
		for _, request := range []engine.Request{{Header: http.Header{}}, trial.Session.Message("tools/list", nil)} {
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

func uniform(ctx context.Context, p *engine.Probe) error {
	token, err := p.Control(ctx)
	if err != nil {
		return err
	}
	expired, err := p.Token(ctx, engine.Expired)
	if err != nil {
		return err
	}
	before := ""
	for _, one := range []string{tamper(token), expired, bad} {
		answer, err := p.Send(ctx, engine.Request{Header: engine.Bearer(one)})
		if err != nil {
			return err
		}
		if answer.Status != http.StatusUnauthorized {
			return &engine.NotApplicable{Reason: fmt.Sprintf("one of three bad tokens is answered with status %d", answer.Status)}
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

// injection puts a word of its own, and what could end a header or a parameter, wherever a server might repeat it.
func injection(ctx context.Context, p *engine.Probe) error {
	if _, err := p.Control(ctx); err != nil {
		return err
	}
	plain, err := p.WantRefused(ctx, engine.Request{Header: engine.Bearer(bad)})
	if err != nil {
		return err
	}
	const word = "intruder"
	part := func(members map[string]string) string {
		text, _ := json.Marshal(members)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	for _, evil := range []string{word, word + "\r\nX-" + word + ": 1", `", error="` + word, word + `\`, word + "é", word + "\x00"} {
		for name, request := range map[string]engine.Request{
			"kid":      {Header: engine.Bearer(part(map[string]string{"alg": "RS256", "kid": evil}) + "." + part(map[string]string{"iss": "x"}) + ".AAAA")},
			"alg":      {Header: engine.Bearer(part(map[string]string{"alg": evil}) + "." + part(map[string]string{"iss": "x"}) + ".AAAA")},
			"iss":      {Header: engine.Bearer(part(map[string]string{"alg": "RS256"}) + "." + part(map[string]string{"iss": evil}) + ".AAAA")},
			"scope":    {Header: engine.Bearer(bad), Query: url.Values{"scope": {evil}}},
			"resource": {Header: engine.Bearer(bad), Query: url.Values{"resource": {evil}}},
		} {
			answer, err := p.Send(ctx, request)
			if err != nil {
				return err
			}
			if answer.Status/100 == 2 {
				return p.Insecure("a refusal of "+name, fmt.Sprintf("status %d", answer.Status))
			}
			if answer.Status == http.StatusUnauthorized {
				if _, err := p.Challenge(answer); err != nil {
					return err
				}
			}
			for header, values := range answer.Header {
				if strings.Contains(strings.ToLower(header+strings.Join(values, " ")), word) {
					return p.Insecure("nothing of "+name+" in the head of the answer", header+": "+strings.Join(values, ", "))
				}
			}
			if len(answer.Header.Values("WWW-Authenticate")) != len(plain.Header.Values("WWW-Authenticate")) && answer.Status == plain.Status {
				return p.Mismatch("as many challenges as for any bad token", fmt.Sprint(len(answer.Header.Values("WWW-Authenticate"))))
			}
		}
	}
	return nil
}
