package checks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// taskChecks returns the checks of server/task: who can use a task (MCP 2025-11-25, Tasks).
func taskChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/task/other-user",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: []check.Revision{check.R20251125},
				Reference: "MCP 2025-11-25 utilities, Tasks, Task Isolation and Access Control",
				Sentence: "A task belongs to its user: another user cannot read, cancel or list it, with or " +
					"without a session.",
				Covers: []string{"RS-102", "server-task-context-bound"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Needs:  []bench.Need{bench.TaskTool},
			Run:    taskOtherUser,
		},
		{
			Rule: check.Rule{
				ID:        "server/task/unpredictable",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: []check.Revision{check.R20251125},
				Reference: "MCP 2025-11-25 utilities, Tasks, Task Isolation and Access Control",
				Sentence: "Task IDs do not repeat and cannot be guessed. Where tasks are bound to their user, " +
					"this is a policy.",
				Covers: []string{"RS-102", "server-task-id-random"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.TaskTool},
			Run:    taskUnpredictable,
		},
		{
			Rule: check.Rule{
				ID:        "server/task/listed-for-anyone",
				Level:     check.Should,
				Severity:  check.Medium,
				Revisions: []check.Revision{check.R20251125},
				Reference: "MCP 2025-11-25 utilities, Tasks, Task Isolation and Access Control",
				Sentence: "A server that asks for no authorization cannot tell its callers apart, so it does " +
					"not offer to list tasks.",
				Covers: []string{"server-task-list-anonymous"},
			},
			Run: taskListedForAnyone,
		},
	}
}

// taskListedForAnyone reads the capabilities of a server without authorization.
func taskListedForAnyone(ctx context.Context, p *bench.Probe) error {
	if p.Survey(ctx).Asks != bench.AsksForNothing {
		return &check.NotApplicable{Reason: "the server asks for authorization"}
	}
	answer, err := p.Send(ctx, p.First())
	if err != nil {
		return err
	}
	var message struct {
		Result struct {
			Capabilities struct {
				Tasks map[string]any `json:"tasks"`
			} `json:"capabilities"`
		} `json:"result"`
	}
	_ = json.Unmarshal(answer.Body, &message) // an answer of another form offers nothing
	offered := message.Result.Capabilities.Tasks
	switch _, lists := offered["list"]; {
	case offered == nil:
		return &check.NotApplicable{Reason: "the server offers no tasks"}
	case lists:
		return p.Insecure("no capability tasks.list", "tasks.list")
	}
	return nil
}

// taskOtherUser tries every task method as another user, and then looks at the task as its own
// user.
func taskOtherUser(ctx context.Context, p *bench.Probe) error {
	session, err := p.OpenAs(ctx, bench.Good)
	if err != nil {
		return err
	}
	id, err := beginTask(ctx, p, session)
	if err != nil {
		return err
	}
	before, err := taskStatus(ctx, p, session, id)
	if err != nil {
		return err
	}
	if before == "" {
		return &check.CannotJudge{Reason: "the control failed: its own user does not find the task"}
	}
	other, err := p.OpenAs(ctx, bench.OtherUser)
	if err != nil {
		return err
	}
	newest := p.WithRevision(check.R20260728)
	for _, caller := range []taskCaller{
		{"in a session of its own", p, other.Message},
		{"without a session", p, p.Message},
		{"in the newest revision", newest, newest.Message},
	} {
		if err := caller.wantRefused(ctx, other.Token, id); err != nil {
			return err
		}
	}
	after, err := taskStatus(ctx, p, session, id)
	if err != nil {
		return err
	}
	if after == "" || after == "cancelled" && before != "cancelled" {
		return p.Insecure("the task unchanged, after another user tried to get at it", fmt.Sprintf("status %q", after))
	}
	return nil
}

// A taskCaller is one way in which another user can send a message.
type taskCaller struct {
	name    string
	probe   *bench.Probe
	message func(method string, params map[string]any) bench.Request
}

// wantRefused tries every method with the ID of a task.
func (c *taskCaller) wantRefused(ctx context.Context, token, id string) error {
	for _, method := range []string{"tasks/get", "tasks/list", "tasks/result", "tasks/cancel"} {
		params := map[string]any{"taskId": id}
		if method == "tasks/list" {
			params = nil
		}
		answer, err := c.probe.Send(ctx, attack.WithToken(token, c.message(method, params)))
		if err != nil {
			return err
		}
		isAbout := method != "tasks/list" || strings.Contains(string(answer.Body), id)
		if answer.Succeeded() && isAbout {
			want := fmt.Sprintf("a refusal of %s of another user's task, %s", method, c.name)
			return c.probe.Insecure(want, "a result")
		}
	}
	return nil
}

// beginTask starts a task and returns its ID.
func beginTask(ctx context.Context, p *bench.Probe, session *bench.Session) (string, error) {
	params := map[string]any{"name": p.TaskTool(), "arguments": map[string]any{}, "task": map[string]any{}}
	answer, err := p.Send(ctx, attack.WithToken(session.Token, session.Message("tools/call", params)))
	if err != nil {
		return "", err
	}
	var message struct {
		Result struct {
			Task struct {
				ID string `json:"taskId"`
			} `json:"task"`
		} `json:"result"`
	}
	if err := json.Unmarshal(answer.Body, &message); err != nil || message.Result.Task.ID == "" {
		return "", &check.CannotJudge{
			Reason: fmt.Sprintf("the control failed: the call starts no task (status %d)", answer.Status),
		}
	}
	return message.Result.Task.ID, nil
}

// taskStatus returns the status of a task for its own user, or "" if the server does not find it.
func taskStatus(ctx context.Context, p *bench.Probe, session *bench.Session, id string) (string, error) {
	request := session.Message("tasks/get", map[string]any{"taskId": id})
	answer, err := p.Send(ctx, attack.WithToken(session.Token, request))
	if err != nil || answer.Status != http.StatusOK {
		return "", err
	}
	var message struct {
		Result struct {
			Status string `json:"status"`
		} `json:"result"`
	}
	_ = json.Unmarshal(answer.Body, &message)
	return message.Result.Status, nil
}

// taskUnpredictable tries server/task/unpredictable.
func taskUnpredictable(ctx context.Context, p *bench.Probe) error {
	session, err := p.OpenAs(ctx, bench.Good)
	if err != nil {
		return err
	}
	last := ""
	guessable := attack.WantUnpredictable(p, "task ID", func() (string, error) {
		last, err = beginTask(ctx, p, session)
		return last, err
	})
	var mismatch *check.Mismatch
	if !errors.As(guessable, &mismatch) {
		return guessable
	}
	other, err := p.OpenAs(ctx, bench.OtherUser)
	if err != nil {
		return inputs.Graded(guessable, check.Should, "") // it is unknown whether tasks are bound
	}
	status, err := taskStatus(ctx, p, other, last)
	if err != nil {
		return err
	}
	if status == "" {
		return inputs.Graded(guessable, check.Policy, check.Low)
	}
	return guessable
}
