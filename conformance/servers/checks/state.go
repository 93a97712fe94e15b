package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// stateChecks are checks of server/state: what a handle of state is worth that a tool hands out
// (MCP security best practices, State Handle Hijacking).
func stateChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/state/other-user",
				Level:     check.Should,
				Severity:  check.Critical,
				Reference: "MCP security best practices, State Handle Hijacking",
				Sentence: "State is its user's: another user's token and the handle do not get at it, and leave it " +
					"as it was.",
				Covers: []string{"RS-102", "server-state-handle-bound"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Needs:  []bench.Need{bench.HandleTools},
			Run:    othersState,
		},
		{
			Rule: check.Rule{
				ID:        "server/state/not-authentication",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP security best practices, State Handle Hijacking",
				Sentence:  "Who has a handle and no good token is refused.",
				Covers:    []string{"RS-102", "server-state-handle-not-auth"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.HandleTools},
			Run:    handleAlone,
		},
		{
			Rule: check.Rule{
				ID:        "server/state/unpredictable",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "MCP security best practices, State Handle Hijacking",
				Sentence:  "Handles do not repeat and cannot be guessed.",
				Covers:    []string{"RS-102", "server-state-handle-random"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.HandleTools},
			Run:    guessedHandles,
		},
	}
}

// keeper is who made state, and its handle.
type keeper struct {
	session *bench.Session
	handle  string
}

// makeState has a user make state, and shows that it can be used.
func makeState(ctx context.Context, p *bench.Probe) (*keeper, error) {
	token, err := p.Token(ctx, bench.Good)
	if err != nil {
		return nil, err
	}
	k := &keeper{}
	if k.session, err = p.Open(ctx, token); err != nil {
		return nil, err
	}
	if k.handle, err = k.another(ctx, p); err != nil {
		return nil, err
	}
	used, err := p.Send(ctx, k.use(p, k.session, "Bearer "+token))
	if err != nil {
		return nil, err
	}
	if _, done := toolText(used); !done {
		return nil, &check.CannotJudge{
			Reason: fmt.Sprintf("the control failed: its owner cannot use the state (status %d)", used.Status),
		}
	}
	return k, nil
}

// another makes more state.
func (k *keeper) another(ctx context.Context, p *bench.Probe) (string, error) {
	request := k.session.Message("tools/call", map[string]any{"name": p.Handles().Make, "arguments": map[string]any{}})
	request.Header.Set("Authorization", "Bearer "+k.session.Token)
	answer, err := p.Send(ctx, request)
	if err != nil {
		return "", err
	}
	handle, done := toolText(answer)
	if !done || handle == "" {
		return "", &check.CannotJudge{
			Reason: fmt.Sprintf("the control failed: no handle is handed out (status %d)", answer.Status),
		}
	}
	return handle, nil
}

// use is a call with the handle, in a session.
func (k *keeper) use(p *bench.Probe, session *bench.Session, credentials string) bench.Request {
	request := session.Message(
		"tools/call",
		map[string]any{"name": p.Handles().Use, "arguments": map[string]any{"handle": k.handle}},
	)
	if credentials != "" {
		request.Header.Set("Authorization", credentials)
	}
	return request
}

// toolText is the text of a tool's result, and whether the tool did what it was asked for.
func toolText(answer *bench.Answer) (text string, done bool) {
	var message struct {
		Result *struct {
			IsError bool `json:"isError"`
			Content []struct {
				Text string `json:"text"`
			} `json:"content"`
		} `json:"result"`
	}
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &message) != nil || message.Result == nil ||
		message.Result.IsError {
		return "", false
	}
	for _, content := range message.Result.Content {
		text += content.Text
	}
	return text, true
}

func othersState(ctx context.Context, p *bench.Probe) error {
	k, err := makeState(ctx, p)
	if err != nil {
		return err
	}
	other, err := p.Token(ctx, bench.OtherUser)
	if err != nil {
		return err
	}
	session, err := p.Open(ctx, other)
	if err != nil {
		return &check.CannotJudge{Reason: "the other user's token does not work in a session of its own", Err: err}
	}
	answer, err := p.Send(ctx, k.use(p, session, "Bearer "+other))
	if err != nil {
		return err
	}
	if _, done := toolText(answer); done {
		return p.Insecure("a refusal, or a tool's error, for another user's handle", "a result")
	}
	if answer, err = p.Send(ctx, k.use(p, k.session, "Bearer "+k.session.Token)); err != nil {
		return err
	}
	if _, done := toolText(answer); !done {
		return p.Mismatch(
			"its owner to use the state after another user tried to",
			fmt.Sprintf("status %d and no result", answer.Status),
		)
	}
	return nil
}

func handleAlone(ctx context.Context, p *bench.Probe) error {
	k, err := makeState(ctx, p)
	if err != nil {
		return err
	}
	for name, credentials := range map[string]string{
		"no token":            "",
		"a bad token":         "Bearer " + bad,
		"the handle as token": "Bearer " + k.handle,
	} {
		answer, err := p.Send(ctx, k.use(p, k.session, credentials))
		if err != nil {
			return err
		}
		switch _, done := toolText(answer); {
		case done || answer.Status/100 == 2:
			return p.Insecure("status 401: a handle and "+name, fmt.Sprintf("status %d", answer.Status))
		case answer.Status != http.StatusUnauthorized && answer.Status != http.StatusBadRequest:
			return p.Mismatch("status 401: a handle and "+name, fmt.Sprintf("status %d", answer.Status))
		}
	}
	return nil
}

func guessedHandles(ctx context.Context, p *bench.Probe) error {
	k, err := makeState(ctx, p)
	if err != nil {
		return err
	}
	return hardToGuess(p, "handle", func() (string, error) { return k.another(ctx, p) })
}

// hardToGuess wants IDs that are made one after the other to differ, and in more than a counter
// does.
func hardToGuess(p *bench.Probe, name string, another func() (string, error)) error {
	var sample drawn
	for range sessionSample {
		id, err := another()
		if err != nil {
			return err
		}
		if !sample.add(id) {
			return p.Insecure("a new "+name+" each time", "one twice")
		}
	}
	if bits := sample.bits(); bits < 64 {
		return p.Insecure("at least 64 bits that change", fmt.Sprintf("%.0f", bits))
	}
	return nil
}

// drawn are IDs that a server has made, looked at from outside: at how much of them changes. It
// finds counters and clocks, not a bad generator.
type drawn struct {
	seen      map[string]bool
	positions []map[byte]bool
}

// add reports whether an ID is new.
func (d *drawn) add(id string) bool {
	if d.seen == nil {
		d.seen = map[string]bool{}
	}
	if d.seen[id] {
		return false
	}
	d.seen[id] = true
	for i := range len(id) {
		if i == len(d.positions) {
			d.positions = append(d.positions, map[byte]bool{})
		}
		d.positions[i][id[i]] = true
	}
	return true
}

// bits is how many of them change.
func (d *drawn) bits() float64 {
	bits := 0.0
	for _, values := range d.positions {
		bits += math.Log2(float64(len(values)))
	}
	return bits
}
