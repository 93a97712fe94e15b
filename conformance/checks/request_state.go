package checks

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"mcpentra/conformance/engine"
)

// requestState: what the state is worth that a request which asks back gives its caller to carry, and what it asks for (MCP
// 2026-07-28, Multi Round-Trip Requests and Elicitation).
func requestState() []engine.Check {
	const rounds = "MCP 2026-07-28 patterns, Multi Round-Trip Requests, Server Requirements"
	newest, good := []engine.Revision{engine.R20260728}, []engine.TokenKind{engine.Good}
	return []engine.Check{
		{
			ID: "server/request-state/altered", Role: engine.Server, Level: engine.Must, Severity: engine.High, Revisions: newest, Needs: good, NeedsRounds: true,
			Covers: []string{"RS-102", "server-request-state-integrity"}, Reference: rounds,
			Sentence: "Request state that its caller has altered is refused.",
			Run:      alteredState,
		},
		{
			ID: "server/request-state/other-user", Role: engine.Server, Level: engine.Should, Severity: engine.Critical, Revisions: newest, NeedsRounds: true,
			Needs:  []engine.TokenKind{engine.Good, engine.OtherUser},
			Covers: []string{"RS-102", "server-request-state-principal", "server-elicitation-bound"}, Reference: rounds + "; Elicitation, Security Considerations",
			Sentence: "Another user does not go on with a request, nor answers what it asked for.",
			Run:      othersRequest,
		},
		{
			ID: "server/request-state/one-request", Role: engine.Server, Level: engine.Should, Severity: engine.High, Revisions: newest, Needs: good, NeedsRounds: true,
			Covers: []string{"RS-102", "server-request-state-ttl"}, Reference: rounds,
			Sentence: "Request state fits the request that it was given for, and ends soon.",
			Run:      oneRequest,
		},
		{
			ID: "server/request-state/once", Role: engine.Server, Level: engine.Must, Severity: engine.High, Revisions: newest, Needs: good, NeedsRounds: true,
			Covers: []string{"RS-102", "server-request-state-single-use"}, Reference: rounds,
			Sentence: "Request state that is to be used once is used once.",
			Run:      onceOnly,
		},
		{
			ID: "server/elicitation/form", Role: engine.Server, Level: engine.Must, Severity: engine.High, Revisions: newest, Needs: good, NeedsRounds: true,
			Covers: []string{"server-elicitation-form-no-secrets"}, Reference: "MCP client features, Elicitation, Form Mode Security",
			Sentence: "A form asks for no password, key, token or number of a card, as far as the names of its fields tell.",
			Run:      formWithoutSecrets,
		},
		{
			ID: "server/elicitation/url", Role: engine.Server, Level: engine.Must, Severity: engine.High, Revisions: newest, Needs: good, NeedsRounds: true,
			Covers: []string{"server-elicitation-url-clean", "server-elicitation-url-https"}, Reference: "MCP client features, Elicitation, Safe URL Handling",
			Sentence: "A page that people are sent to is under https, and its address holds no token and nothing about the person.",
			Run:      cleanAddresses,
		},
	}
}

// An asked is a request that has asked back.
type asked struct {
	session *engine.Session
	marker  string
	state   string
	inputs  map[string]inputRequest
}

// An inputRequest is what a request asks for.
type inputRequest struct {
	Method string `json:"method"`
	Params struct {
		Mode   string `json:"mode"`
		URL    string `json:"url"`
		Schema struct {
			Properties map[string]struct {
				Title       string `json:"title"`
				Description string `json:"description"`
			} `json:"properties"`
		} `json:"requestedSchema"`
	} `json:"params"`
}

// askBack has a user begin a request that asks back.
func askBack(ctx context.Context, p *engine.Probe) (*asked, error) {
	if p.Capabilities = p.Rounds().Capabilities; p.Capabilities == nil {
		p.Capabilities = map[string]any{"elicitation": map[string]any{"form": map[string]any{}, "url": map[string]any{}}}
	}
	token, err := p.Token(ctx, engine.Good)
	if err != nil {
		return nil, err
	}
	a := &asked{marker: rand.Text()}
	if a.session, err = p.Open(ctx, token); err != nil {
		return nil, err
	}
	answer, err := p.Send(ctx, a.call(p, token, a.marker, "", false))
	if err != nil {
		return nil, err
	}
	var message struct {
		Result struct {
			Type   string                  `json:"resultType"`
			State  string                  `json:"requestState"`
			Inputs map[string]inputRequest `json:"inputRequests"`
		} `json:"result"`
	}
	_ = json.Unmarshal(answer.Body, &message)
	if a.state, a.inputs = message.Result.State, message.Result.Inputs; message.Result.Type != "input_required" {
		return nil, &engine.CannotJudge{Reason: fmt.Sprintf("the control failed: the tool does not ask back (status %d)", answer.Status)}
	}
	return a, nil
}

// withState is askBack for checks of state.
func withState(ctx context.Context, p *engine.Probe) (*asked, error) {
	a, err := askBack(ctx, p)
	if err == nil && a.state == "" {
		return nil, &engine.NotApplicable{Reason: "the tool gives its caller no state"}
	}
	return a, err
}

// call is a round of the request.
func (a *asked) call(p *engine.Probe, token, marker, state string, answered bool) engine.Request {
	params := map[string]any{"name": p.Rounds().Tool, "arguments": map[string]any{"marker": marker}}
	if answered {
		params["inputResponses"] = p.Rounds().Answers
	}
	if state != "" {
		params["requestState"] = state
	}
	request := a.session.Message("tools/call", params)
	request.Header.Set("Authorization", "Bearer "+token)
	return request
}

// goesOn reports whether a second round has its result.
func (a *asked) goesOn(ctx context.Context, p *engine.Probe, token, marker, state string) (bool, error) {
	answer, err := p.Send(ctx, a.call(p, token, marker, state, true))
	if err != nil {
		return false, err
	}
	text, done := toolText(answer)
	return done && strings.Contains(text, marker), nil
}

// finishes wants the request to have its result for its own user.
func (a *asked) finishes(ctx context.Context, p *engine.Probe) error {
	if done, err := a.goesOn(ctx, p, a.session.Token, a.marker, a.state); err != nil {
		return err
	} else if !done {
		return &engine.CannotJudge{Reason: "the control failed: the request does not come to its result with the state as it was given"}
	}
	return nil
}

func alteredState(ctx context.Context, p *engine.Probe) error {
	a, err := withState(ctx, p)
	if err != nil {
		return err
	}
	for _, altered := range alterations(a.state) {
		done, err := a.goesOn(ctx, p, a.session.Token, a.marker, altered)
		if err != nil {
			return err
		}
		if done {
			return p.Insecure("a refusal of altered request state", "the result")
		}
	}
	if another, err := withState(ctx, p); err != nil { // the first may be spoiled by now, which is fine
		return err
	} else if err := another.finishes(ctx, p); err != nil {
		return err
	}
	return nil
}

// alterations are a state with a character changed at several places, but for the ends, whose bits may not count.
func alterations(state string) []string {
	all := []string{""}
	for _, part := range []int{1, 2, 3} {
		at := part * len(state) / 4
		if at >= len(state) {
			continue
		}
		other := byte('A')
		if state[at] == other {
			other = 'B'
		}
		all = append(all, state[:at]+string(other)+state[at+1:])
	}
	return all
}

func othersRequest(ctx context.Context, p *engine.Probe) error {
	a, err := withState(ctx, p)
	if err != nil {
		return err
	}
	other, err := p.Token(ctx, engine.OtherUser)
	if err != nil {
		return err
	}
	if _, err := p.Open(ctx, other); err != nil {
		return &engine.CannotJudge{Reason: "the other user's token does not work", Err: err}
	}
	if done, err := a.goesOn(ctx, p, other, a.marker, a.state); err != nil {
		return err
	} else if done {
		return p.Insecure("a refusal of another user's request state", "the result")
	}
	if done, err := a.goesOn(ctx, p, a.session.Token, a.marker, a.state); err != nil {
		return err
	} else if !done {
		return p.Mismatch("its own user to come to the result after another user tried to", "no result")
	}
	return nil
}

func oneRequest(ctx context.Context, p *engine.Probe) error {
	a, err := withState(ctx, p)
	if err != nil {
		return err
	}
	if done, err := a.goesOn(ctx, p, a.session.Token, rand.Text(), a.state); err != nil {
		return err
	} else if done {
		return p.Insecure("a refusal of request state with other arguments", "the result")
	}
	if a, err = withState(ctx, p); err != nil {
		return err
	}
	if err := a.finishes(ctx, p); err != nil {
		return err
	}
	if p.Rounds().Expire == nil {
		return nil // as far as it goes
	}
	if a, err = withState(ctx, p); err != nil {
		return err
	}
	p.Rounds().Expire(a.state)
	if done, err := a.goesOn(ctx, p, a.session.Token, a.marker, a.state); err != nil {
		return err
	} else if done {
		return p.Insecure("a refusal of request state that is too old", "the result")
	}
	return nil
}

func onceOnly(ctx context.Context, p *engine.Probe) error {
	if !p.Rounds().Once {
		return &engine.NotApplicable{Reason: "its request state may be used again"}
	}
	a, err := withState(ctx, p)
	if err != nil {
		return err
	}
	if err := a.finishes(ctx, p); err != nil {
		return err
	}
	if done, err := a.goesOn(ctx, p, a.session.Token, a.marker, a.state); err != nil {
		return err
	} else if done {
		return p.Insecure("a refusal of request state that was used", "the result once more")
	}
	return nil
}

// secretField matches what a field for a secret is called.
var secretField = regexp.MustCompile(`(?i)passw|passphrase|passcode|secret|api.?key|private.?key|token|credential|card.?(number|no)|credit.?card|\bcv[cv]\b|\bpin\b|\botp\b`)

func formWithoutSecrets(ctx context.Context, p *engine.Probe) error {
	a, err := askBack(ctx, p)
	if err != nil {
		return err
	}
	forms := 0
	for _, input := range a.inputs {
		if input.Method != "elicitation/create" || input.Params.Mode == "url" {
			continue
		}
		forms++
		for name, field := range input.Params.Schema.Properties {
			for _, text := range []string{name, field.Title, field.Description} {
				if secretField.MatchString(text) {
					return p.Lesser(engine.Should, "a form without secrets, or a person who says that this is none", fmt.Sprintf("a field called %q", text))
				}
			}
		}
	}
	if forms == 0 {
		return &engine.NotApplicable{Reason: "the tool shows no form"}
	}
	return nil
}

// personal matches what stands in an address about a person, or lets them in: a mail address, a token, a name for one.
var personal = regexp.MustCompile(`(?i)[^/=&?]+(@|%40)[a-z0-9-]+\.[a-z]|eyJ[A-Za-z0-9_-]{10,}\.|[?&#](access_token|id_token|refresh_token|token|password|secret|api_?key|client_secret)=`)

func cleanAddresses(ctx context.Context, p *engine.Probe) error {
	a, err := askBack(ctx, p)
	if err != nil {
		return err
	}
	pages := 0
	for _, input := range a.inputs {
		if input.Method != "elicitation/create" || input.Params.Mode != "url" {
			continue
		}
		pages++
		page, err := url.Parse(input.Params.URL)
		switch {
		case err != nil || page.Host == "" || page.User != nil:
			return p.Mismatch("an absolute URL without a name and password", fmt.Sprintf("%q", input.Params.URL))
		case personal.MatchString(input.Params.URL), strings.Contains(input.Params.URL, a.session.Token):
			return p.Insecure("an address without tokens and without anything about the person", "one with such")
		case !secure(page):
			return p.Lesser(engine.Should, "https, or loopback", page.Scheme)
		}
		if err := pageShowsNothing(ctx, p, a, input.Params.URL); err != nil {
			return err
		}
	}
	if pages == 0 {
		return &engine.NotApplicable{Reason: "the tool sends nobody to a page"}
	}
	return nil
}

// pageShowsNothing opens a page as somebody whom it does not know, where it belongs to the server under test.
func pageShowsNothing(ctx context.Context, p *engine.Probe, a *asked, address string) error {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &engine.CannotJudge{Reason: "the endpoint's URL", Err: err}
	}
	if page, err := url.Parse(address); err != nil || page.Host != endpoint.Host {
		return nil // of others nothing is asked
	}
	answer, err := p.Send(ctx, engine.Request{Method: http.MethodGet, URL: address, Header: http.Header{}})
	if err == nil && (strings.Contains(string(answer.Body), a.marker) || strings.Contains(string(answer.Body), a.session.Token)) {
		return p.Insecure("a page that shows nothing of the request to somebody whom it does not know", "what the request was about")
	}
	return err
}
