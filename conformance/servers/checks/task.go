package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// taskChecks are checks of server/task: whose a task is (MCP 2025-11-25, Tasks).
func taskChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/task/other-user",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: []check.Revision{check.R20251125},
				Reference: "MCP 2025-11-25 utilities, Tasks, Task Isolation and Access Control",
				Sentence: "A task is its user's: another user does not read, cancel or list it, with a session " +
					"or without.",
				Covers: []string{"RS-102", "server-task-context-bound"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Needs:  []bench.Need{bench.TaskTool},
			Run:    othersTask,
		},
		{
			Rule: check.Rule{
				ID:        "server/task/unpredictable",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: []check.Revision{check.R20251125},
				Reference: "MCP 2025-11-25 utilities, Tasks, Task Isolation and Access Control",
				Sentence:  "Task IDs do not repeat and cannot be guessed.",
				Covers:    []string{"RS-102", "server-task-id-random"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.TaskTool},
			Run:    taskUnpredictable,
		},
	}
}

// taskUnpredictable tries server/task/unpredictable.
func taskUnpredictable(ctx context.Context, p *bench.Probe) error {
	token, err := p.Token(ctx, bench.Good)
	if err != nil {
		return err
	}
	session, err := p.Open(ctx, token)
	if err != nil {
		return err
	}
	return hardToGuess(p, "task ID", func() (string, error) { return beginTask(ctx, p, session) })
}

// beginTask makes a task and returns its ID.
func beginTask(ctx context.Context, p *bench.Probe, session *bench.Session) (string, error) {
	answer, err := p.Send(
		ctx,
		as(
			session.Token,
			session.Message(
				"tools/call",
				map[string]any{"name": p.TaskTool(), "arguments": map[string]any{}, "task": map[string]any{}},
			),
		),
	)
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
	if json.Unmarshal(answer.Body, &message) != nil || message.Result.Task.ID == "" {
		return "", &check.CannotJudge{
			Reason: fmt.Sprintf("the control failed: no task is made (status %d)", answer.Status),
		}
	}
	return message.Result.Task.ID, nil
}

// as is a request with a token.
func as(token string, request bench.Request) bench.Request {
	request.Header.Set("Authorization", "Bearer "+token)
	return request
}

func othersTask(ctx context.Context, p *bench.Probe) error {
	token, err := p.Token(ctx, bench.Good)
	if err != nil {
		return err
	}
	session, err := p.Open(ctx, token)
	if err != nil {
		return err
	}
	id, err := beginTask(ctx, p, session)
	if err != nil {
		return err
	}
	about := map[string]any{"taskId": id}
	status, err := taskStatus(ctx, p, session, id)
	if err != nil {
		return err
	}
	if status == "" {
		return &check.CannotJudge{Reason: "the control failed: its own user does not find the task"}
	}
	other, err := p.Token(ctx, bench.OtherUser)
	if err != nil {
		return err
	}
	others, err := p.Open(ctx, other)
	if err != nil {
		return &check.CannotJudge{Reason: "the other user's token does not work in a session of its own", Err: err}
	}
	for name, message := range map[string]func(method string, params map[string]any) (*bench.Probe, bench.Request){
		"in a session of its own": func(method string, params map[string]any) (*bench.Probe, bench.Request) {
			return p, others.Message(method, params)
		},
		"without a session": func(method string, params map[string]any) (*bench.Probe, bench.Request) {
			return p, p.Message(method, params)
		},
		"in the newest revision": func(method string, params map[string]any) (*bench.Probe, bench.Request) {
			newest := p.WithRevision(check.R20260728)
			return newest, newest.Message(method, params)
		},
	} {
		for _, method := range []string{"tasks/get", "tasks/list", "tasks/result", "tasks/cancel"} {
			params := about
			if method == "tasks/list" {
				params = nil
			}
			probe, request := message(method, params)
			answer, err := probe.Send(ctx, as(other, request))
			if err != nil {
				return err
			}
			if answer.Succeeded() && (method != "tasks/list" || strings.Contains(string(answer.Body), id)) {
				return probe.Insecure(
					fmt.Sprintf("a refusal of %s of another user's task, %s", method, name),
					"a result",
				)
			}
		}
	}
	if after, err := taskStatus(ctx, p, session, id); err != nil {
		return err
	} else if after == "" || after == "cancelled" && status != "cancelled" {
		return p.Insecure("the task as it was, after another user tried to get at it", fmt.Sprintf("status %q", after))
	}
	return nil
}

// taskStatus is a task's for its own user, or empty where it is not found.
func taskStatus(ctx context.Context, p *bench.Probe, session *bench.Session, id string) (string, error) {
	answer, err := p.Send(ctx, as(session.Token, session.Message("tasks/get", map[string]any{"taskId": id})))
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
