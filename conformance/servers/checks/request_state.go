package checks

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// requestStateChecks are checks of server/request-state: what the state is worth that a request
// which asks back gives its caller to carry, and what it asks for (MCP 2026-07-28, Multi Round-Trip
// Requests and Elicitation).
func requestStateChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/request-state/altered",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: []check.Revision{check.R20260728},
				Reference: "MCP 2026-07-28 patterns, Multi Round-Trip Requests, Server Requirements",
				Sentence:  "Request state that its caller has altered is refused.",
				Covers:    []string{"RS-102", "server-request-state-integrity"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.RoundsTool},
			Run:    alteredState,
		},
		{
			Rule: check.Rule{
				ID:        "server/request-state/other-user",
				Level:     check.Should,
				Severity:  check.Critical,
				Revisions: []check.Revision{check.R20260728},
				Reference: "MCP 2026-07-28 patterns, Multi Round-Trip Requests, Server Requirements" +
					"; Elicitation, Security Considerations",
				Sentence: "Another user does not go on with a request, nor answers what it asked for.",
				Covers:   []string{"RS-102", "server-request-state-principal", "server-elicitation-bound"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Needs:  []bench.Need{bench.RoundsTool},
			Run:    othersRequest,
		},
		{
			Rule: check.Rule{
				ID:        "server/request-state/one-request",
				Level:     check.Should,
				Severity:  check.High,
				Revisions: []check.Revision{check.R20260728},
				Reference: "MCP 2026-07-28 patterns, Multi Round-Trip Requests, Server Requirements",
				Sentence:  "Request state fits the request that it was given for, and ends soon.",
				Covers:    []string{"RS-102", "server-request-state-ttl"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.RoundsTool},
			Run:    oneRequest,
		},
		{
			Rule: check.Rule{
				ID:        "server/request-state/once",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: []check.Revision{check.R20260728},
				Reference: "MCP 2026-07-28 patterns, Multi Round-Trip Requests, Server Requirements",
				Sentence:  "Request state that is to be used once is used once.",
				Covers:    []string{"RS-102", "server-request-state-single-use"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.RoundsTool},
			Run:    onceOnly,
		},
	}
}

// An asked is a request that has asked back.
type asked struct {
	session *bench.Session
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
func askBack(ctx context.Context, p *bench.Probe) (*asked, error) {
	if p.Capabilities = p.Rounds().Capabilities; p.Capabilities == nil {
		p.Capabilities = map[string]any{
			"elicitation": map[string]any{"form": map[string]any{}, "url": map[string]any{}},
		}
	}
	token, err := p.Token(ctx, bench.Good)
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
		return nil, &check.CannotJudge{
			Reason: fmt.Sprintf("the control failed: the tool does not ask back (status %d)", answer.Status),
		}
	}
	return a, nil
}

// withState is askBack for checks of state.
func withState(ctx context.Context, p *bench.Probe) (*asked, error) {
	a, err := askBack(ctx, p)
	if err == nil && a.state == "" {
		return nil, &check.NotApplicable{Reason: "the tool gives its caller no state"}
	}
	return a, err
}

// call is a round of the request.
func (a *asked) call(p *bench.Probe, token, marker, state string, answered bool) bench.Request {
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
func (a *asked) goesOn(ctx context.Context, p *bench.Probe, token, marker, state string) (bool, error) {
	answer, err := p.Send(ctx, a.call(p, token, marker, state, true))
	if err != nil {
		return false, err
	}
	text, done := toolText(answer)
	return done && strings.Contains(text, marker), nil
}

// finishes wants the request to have its result for its own user.
func (a *asked) finishes(ctx context.Context, p *bench.Probe) error {
	if done, err := a.goesOn(ctx, p, a.session.Token, a.marker, a.state); err != nil {
		return err
	} else if !done {
		return &check.CannotJudge{
			Reason: "the control failed: the request does not come to its result with the state as it was given",
		}
	}
	return nil
}

func alteredState(ctx context.Context, p *bench.Probe) error {
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

// alterations are a state with a character changed at several places, but for the ends, whose bits
// may not count.
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

func othersRequest(ctx context.Context, p *bench.Probe) error {
	a, err := withState(ctx, p)
	if err != nil {
		return err
	}
	other, err := p.Token(ctx, bench.OtherUser)
	if err != nil {
		return err
	}
	if _, err := p.Open(ctx, other); err != nil {
		return &check.CannotJudge{Reason: "the other user's token does not work", Err: err}
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

func oneRequest(ctx context.Context, p *bench.Probe) error {
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

func onceOnly(ctx context.Context, p *bench.Probe) error {
	if !p.Rounds().Once {
		return &check.NotApplicable{Reason: "its request state may be used again"}
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
