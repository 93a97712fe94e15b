package attack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// A Round is a call whose tool has asked for input (MCP 2026-07-28, Multi Round-Trip Requests).
type Round struct {
	Session *bench.Session
	Marker  string // the argument of the call
	State   string // requestState, or empty
	Inputs  map[string]InputRequest
}

// An InputRequest is one input that the tool asks for.
type InputRequest struct {
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

// BeginRound calls the target's tool that asks for input.
func BeginRound(ctx context.Context, p *bench.Probe) (*Round, error) {
	p.Capabilities = p.Rounds().Capabilities
	if p.Capabilities == nil {
		p.Capabilities = map[string]any{
			"elicitation": map[string]any{"form": map[string]any{}, "url": map[string]any{}},
		}
	}
	session, err := p.OpenAs(ctx, bench.Good)
	if err != nil {
		return nil, err
	}
	round := &Round{Session: session, Marker: rand.Text()}
	answer, err := p.Send(ctx, WithToken(session.Token, round.call(p, round.Marker, nil)))
	if err != nil {
		return nil, err
	}
	var message struct {
		Result struct {
			Type   string                  `json:"resultType"`
			State  string                  `json:"requestState"`
			Inputs map[string]InputRequest `json:"inputRequests"`
		} `json:"result"`
	}
	_ = json.Unmarshal(answer.Body, &message)
	if message.Result.Type != "input_required" {
		return nil, &check.CannotJudge{
			Reason: fmt.Sprintf("the control failed: the tool does not ask for input (status %d)", answer.Status),
		}
	}
	round.State = message.Result.State
	round.Inputs = message.Result.Inputs
	return round, nil
}

// BeginRoundWithState is BeginRound for a tool that uses request state.
func BeginRoundWithState(ctx context.Context, p *bench.Probe) (*Round, error) {
	round, err := BeginRound(ctx, p)
	if err == nil && round.State == "" {
		return nil, &check.NotApplicable{Reason: "the tool gives its caller no state"}
	}
	return round, err
}

// call returns a tool call with further parameters.
func (r *Round) call(p *bench.Probe, marker string, more map[string]any) bench.Request {
	params := map[string]any{"name": p.Rounds().Tool, "arguments": map[string]any{"marker": marker}}
	maps.Copy(params, more)
	return r.Session.Message("tools/call", params)
}

// Resumes answers the tool's questions, and reports whether the call gets its result.
func (r *Round) Resumes(ctx context.Context, p *bench.Probe, token, marker, state string) (bool, error) {
	more := map[string]any{"inputResponses": p.Rounds().Answers}
	if state != "" {
		more["requestState"] = state
	}
	answer, err := p.Send(ctx, WithToken(token, r.call(p, marker, more)))
	if err != nil {
		return false, err
	}
	text, succeeded := ToolText(answer)
	return succeeded && strings.Contains(text, marker), nil
}

// ResumesWith is Resumes for the round's own user and argument, with some state.
func (r *Round) ResumesWith(ctx context.Context, p *bench.Probe, state string) (bool, error) {
	return r.Resumes(ctx, p, r.Session.Token, r.Marker, state)
}

// ControlResumes shows that the call gets its result for its own user.
func (r *Round) ControlResumes(ctx context.Context, p *bench.Probe) error {
	resumed, err := r.ResumesWith(ctx, p, r.State)
	if err == nil && !resumed {
		return &check.CannotJudge{Reason: "the control failed: the call gets no result with its unaltered state"}
	}
	return err
}
