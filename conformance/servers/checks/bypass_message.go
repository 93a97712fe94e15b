package checks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// bypassMessageChecks returns the checks of server/bypass about messages that a server serves
// without a token.
func bypassMessageChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/bypass/messages",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP authorization, Access Token Usage; MCP authorization, Error Handling",
				Sentence: "Each request, notification and response needs a token, in a session and without " +
					"one.",
				Covers: []string{
					"RS-001",
					"RS-095",
					"server-401-no-token",
					"server-auth-notifications",
					"server-verify-every-request",
				},
			},
			Run: attack.WithAnyTrial(bypassMessages),
		},
		{
			Rule: check.Rule{
				ID:        "server/bypass/batches",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP authorization, Access Token Usage; JSON-RPC 2.0 section 6",
				Sentence:  "No batch and no second message in a body is served without a token.",
				Covers:    []string{"RS-001"},
			},
			Run: attack.WithAnyTrial(bypassBatches),
		},
		{
			Rule: check.Rule{
				ID:        "server/bypass/versions",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP authorization, Access Token Usage; MCP lifecycle, Version Negotiation",
				Sentence:  "No old, unknown or missing protocol version makes a token unnecessary.",
				Covers:    []string{"RS-001"},
			},
			Run: attack.WithAnyTrial(bypassVersions),
		},
	}
}

// A bareMessage is a message that is sent without a token.
type bareMessage struct {
	name   string
	params map[string]any
	// public says that a server may serve the message to clients that have no token yet, if it also
	// serves initialize.
	public bool
	// severity of an answer to it. Empty means the rule's.
	severity check.Severity
}

// bareRequests returns each request of MCP.
func bareRequests() []bareMessage {
	uri := map[string]any{"uri": "file:///mcp-auth-conformance"}
	task := map[string]any{"taskId": "mcp-auth-conformance"}
	unknownTool := map[string]any{"name": "mcp-auth-conformance", "arguments": map[string]any{}}
	return []bareMessage{
		{name: "ping", public: true, severity: check.Low},
		{name: "server/discover", public: true, severity: check.Low},
		{name: "tools/list", public: true, severity: check.Medium},
		{name: "resources/list", public: true, severity: check.Medium},
		{name: "resources/templates/list", public: true, severity: check.Medium},
		{name: "prompts/list", public: true, severity: check.Medium},
		{name: "tools/call", params: unknownTool},
		{name: "resources/read", params: uri},
		{name: "resources/subscribe", params: uri, severity: check.High},
		{name: "resources/unsubscribe", params: uri, severity: check.Medium},
		{name: "prompts/get", params: map[string]any{"name": "mcp-auth-conformance"}, severity: check.High},
		{
			name: "completion/complete",
			params: map[string]any{
				"ref":      map[string]any{"type": "ref/prompt", "name": "mcp-auth-conformance"},
				"argument": map[string]any{"name": "x", "value": "x"},
			},
			severity: check.High,
		},
		{name: "logging/setLevel", params: map[string]any{"level": "error"}, severity: check.Medium},
		{name: "tasks/list", severity: check.High},
		{name: "tasks/get", params: task, severity: check.High},
		{name: "tasks/result", params: task, severity: check.High},
		{name: "tasks/cancel", params: task, severity: check.High},
		{name: "subscriptions/listen", params: map[string]any{"notifications": map[string]any{}}, severity: check.High},
		{name: "roots/list", severity: check.Low},
		{name: "rpc.discover", severity: check.Medium},
		{name: "system.listMethods", severity: check.Medium},
		{name: "health", severity: check.Low},
		{name: "status", severity: check.Low},
		{name: "mcp-auth-conformance/unknown", severity: check.Low},
	}
}

// bareNotifications returns each notification that a client may send, and some that it may not.
func bareNotifications() []string {
	return []string{
		"notifications/initialized",
		"notifications/cancelled",
		"notifications/progress",
		"notifications/roots/list_changed",
		"notifications/message",
		"notifications/elicitation/complete",
		"notifications/tasks/status",
		"notifications/tools/list_changed",
	}
}

// bareResponses returns responses to requests of the server.
func bareResponses() []string {
	return []string{
		`{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{}}}`,
		`{"jsonrpc":"2.0","id":"1","error":{"code":-1,"message":"refused"}}`,
	}
}

// bypassMessages tries server/bypass/messages.
func bypassMessages(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	initialize, err := p.Send(ctx, p.First())
	if err != nil {
		return err
	}
	bare := &bareTrial{probe: p, trial: trial, isPublic: initialize.Succeeded()}
	call := trial.Request()
	answer, err := p.Send(ctx, call)
	if err != nil {
		return err
	}
	if bare.isPublic && (trial.Ran(call) || trial.HasCanary() && answer.Succeeded()) {
		return &check.Skipped{Of: "server/challenge/without-token", Reason: "the server serves calls without a token"}
	}
	var tries []func() error
	for _, message := range bareRequests() {
		tries = append(tries, func() error { return bare.request(ctx, message) })
	}
	notifications, responses, err := bare.unreported(ctx)
	if err != nil {
		return err
	}
	for _, name := range notifications {
		tries = append(tries, func() error { return bare.oneWay(ctx, name, p.Notification(name)) })
	}
	for _, body := range responses {
		response := p.Notification("notifications/initialized")
		response.Body = []byte(body)
		tries = append(tries, func() error { return bare.oneWay(ctx, "the response "+body, response) })
	}
	return inputs.TryAll(tries, func(try func() error) error { return try() })
}

// bareTime bounds the answer to a message without a token. A server may open a stream for it.
const bareTime = 3 * time.Second

// A bareTrial sends messages without a token.
type bareTrial struct {
	probe *bench.Probe
	trial *bench.Trial
	// isPublic says that the server serves initialize without a token. Many servers do so on
	// purpose, and then list their tools too.
	isPublic bool
}

// unreported returns the notifications and responses to try. A server that accepts any of a kind is
// the finding of server/challenge/notifications.
func (b *bareTrial) unreported(ctx context.Context) (notifications, responses []string, err error) {
	notifications = bareNotifications()
	responses = bareResponses()
	if b.isPublic {
		return notifications, responses, nil
	}
	for _, message := range unanswered(b.probe) {
		answer, err := b.probe.Send(ctx, inSession(message.request, b.trial.Session))
		if err != nil {
			return nil, nil, err
		}
		switch isAccepted := answer.Status/100 == 2; {
		case isAccepted && message.name == "a response":
			responses = nil
		case isAccepted:
			notifications = nil
		}
	}
	return notifications, responses, nil
}

// isReported reports whether server/challenge/every-method finds an answer to a method. That check
// sends it in the session.
func (b *bareTrial) isReported(ctx context.Context, method string) (bool, error) {
	named := func(known readMethod) bool { return known.name == method }
	i := slices.IndexFunc(everyMethod(b.probe.Revision), named)
	if i < 0 || b.isPublic {
		return false, nil
	}
	known := everyMethod(b.probe.Revision)[i]
	answer, err := b.probe.Clone().Send(ctx, b.trial.Session.Message(known.name, known.params))
	return err == nil && answer.Status/100 == 2, ctx.Err()
}

// request wants a request refused, in the session and without one.
func (b *bareTrial) request(ctx context.Context, message bareMessage) error {
	if isReported, err := b.isReported(ctx, message.name); err != nil || isReported {
		return err
	}
	err := b.requestIn(ctx, message, message.name, b.probe.Message)
	if err != nil || b.trial.Session.ID == "" {
		return err
	}
	return b.requestIn(ctx, message, message.name+" in the session", b.trial.Session.Message)
}

func (b *bareTrial) requestIn(
	ctx context.Context, message bareMessage, name string, place func(string, map[string]any) bench.Request,
) error {
	limited, cancel := context.WithTimeout(ctx, bareTime)
	defer cancel()
	if message.name == "subscriptions/listen" {
		stream, err := b.probe.Stream(limited, place(message.name, message.params))
		if err != nil || stream == nil {
			return ctx.Err()
		}
		_ = stream.Close()
		return b.probe.Insecure("status 401 to "+name, "a stream")
	}
	answer, err := b.probe.Send(limited, place(message.name, message.params))
	if err != nil {
		return ctx.Err() // a stream that stays silent
	}
	got := "the result of the request"
	if !answer.Succeeded() {
		code := attack.ErrorCode(answer)
		if answer.Status/100 != 2 || code == 0 || b.trial.IsBare() {
			return nil
		}
		// An error says that the server has read the message. It counts if a good token gets the
		// same error.
		request := attack.WithToken(b.trial.Token, place(message.name, message.params))
		control, err := b.probe.Clone().Send(limited, request)
		if err != nil || control.Status != answer.Status || !bytes.Equal(errorOf(control), errorOf(answer)) {
			return ctx.Err()
		}
		got = fmt.Sprintf("status %d with the error %d, as with a good token", answer.Status, code)
	}
	mismatch := b.probe.Insecure("status 401 to "+name, got).(*check.Mismatch)
	mismatch.Severity = message.severity
	if message.public && b.isPublic || message.name == "server/discover" {
		mismatch.Level = check.Policy
	}
	return mismatch
}

// errorOf returns the JSON-RPC error of an answer, without its data.
func errorOf(answer *bench.Answer) []byte {
	var message struct {
		Error struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	_ = json.Unmarshal(answer.Body, &message) // a body without an error has none
	return fmt.Appendf(nil, "%d %s", message.Error.Code, message.Error.Message)
}

// oneWay wants a notification or a response refused, in the session and without one.
func (b *bareTrial) oneWay(ctx context.Context, name string, request bench.Request) error {
	if name == "notifications/initialized" && !b.isPublic {
		return nil // server/challenge/notifications sends it
	}
	for _, place := range []string{"", " in the session"} {
		if place != "" {
			request = inSession(request, b.trial.Session)
		}
		answer, err := b.probe.Send(ctx, request)
		if err != nil {
			return err
		}
		if answer.Status/100 != 2 || attack.ErrorCode(answer) != 0 {
			continue
		}
		got := fmt.Sprintf("status %d", answer.Status)
		mismatch := b.probe.Insecure("status 401 to "+name+place, got).(*check.Mismatch)
		mismatch.Severity = check.Medium
		if name == "notifications/initialized" {
			mismatch.Level = check.Policy
		}
		return mismatch
	}
	return nil
}

// bypassBatches tries server/bypass/batches.
func bypassBatches(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	bases, err := attack.Bases(ctx, p, trial)
	if err != nil {
		return err
	}
	const (
		ping        = `{"jsonrpc":"2.0","id":91,"method":"ping"}`
		initialized = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
		response    = `{"jsonrpc":"2.0","id":1,"result":{}}`
	)
	initialize := string(p.First().Body)
	forms := []string{
		"[{call}]",
		"[{call},{call}]",
		"[[{call}]]",
		"[" + ping + ",{call}]",
		"[{call}," + ping + "]",
		"[" + initialized + ",{call}]",
		"[" + initialize + ",{call}]",
		"[" + initialize + "," + initialized + ",{call}]",
		"[" + response + ",{call}]",
		"[null,{call}]",
		"[{},{call}]",
		"[1,{call}]",
		"[{call},",
		"{call}{call}",
		"{call}\n{call}\n",
		ping + "{call}",
		ping + "\n{call}\n",
		initialized + "\n{call}",
		"\x1e{call}\n",
		" \n{call}",
		"\ufeff{call}",
		"data: {call}\n\n",
	}
	return tryFew(ctx, forms, func(form string) error {
		for _, version := range []string{string(p.Revision), "2025-03-26", ""} {
			if err := tryBatch(ctx, p, trial, bases[0].Make(), form, version); err != nil {
				return err
			}
		}
		return nil
	})
}

// tryBatch sends a body of several messages without a token.
func tryBatch(
	ctx context.Context, p *bench.Probe, trial *bench.Trial, request bench.Request, form, version string,
) error {
	request.Body = []byte(strings.ReplaceAll(form, "{call}", string(request.Body)))
	request.Header.Set("Mcp-Protocol-Version", version)
	if version == "" {
		request.Header["Mcp-Protocol-Version"] = nil
	}
	answer, err := p.Send(ctx, request)
	if err != nil {
		return err
	}
	name := form
	if _, rest, found := strings.Cut(form, "clientInfo"); found {
		name = "[initialize" + rest[strings.Index(rest, "}}")+2:]
	}
	var batch []struct {
		Result json.RawMessage `json:"result"`
	}
	hasResult := answer.Succeeded()
	if err := json.Unmarshal(answer.Body, &batch); err == nil && answer.Status == http.StatusOK {
		for _, message := range batch {
			hasResult = hasResult || len(message.Result) > 0
		}
	}
	switch {
	case trial.Ran(request):
		return p.Insecure("the tool not to run: "+name, fmt.Sprintf("status %d, and the tool ran", answer.Status))
	case hasResult:
		return p.Insecure("no result: "+name, "the result of a message")
	case answer.Status == http.StatusAccepted, answer.Status == http.StatusNoContent:
		return p.Insecure("status 401: "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return nil
}

// bypassVersions tries server/bypass/versions.
func bypassVersions(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	values := []string{
		"2024-10-07",
		"2024-11-05",
		"2025-03-26",
		"2025-06-18",
		"2025-11-25",
		"2026-07-28",
		"1900-01-01",
		"9999-99-99",
		"DRAFT-2026-v1",
		"draft",
		"latest",
		"1.0",
		"1",
		"0",
		"null",
		"",
		"2025-03-26, 2025-11-25",
		"2025-03-26-noauth",
	}
	var claims []attack.Claim
	for _, value := range values {
		for _, header := range []string{"Mcp-Protocol-Version", "Mcp-Version", "X-Mcp-Version", "X-Protocol-Version"} {
			claims = append(claims, attack.HeaderClaim(header, value))
		}
		claims = append(claims, attack.Claim{
			Name: "the version " + value + " in the body",
			Slot: "body",
			Add:  func(request *bench.Request, _ string) { claimVersion(request, string(p.Revision), value) },
		})
	}
	claims = append(claims, attack.Claim{
		Name: "no MCP-Protocol-Version",
		Slot: "mcp-protocol-version",
		Add:  func(request *bench.Request, _ string) { request.Header["Mcp-Protocol-Version"] = nil },
	})
	bases, err := attack.Bases(ctx, p, trial)
	if err != nil {
		return err
	}
	for _, revision := range check.Revisions() {
		other := p.WithRevision(revision)
		bases = append(bases, attack.Base{
			Name: "the first message of " + string(revision),
			Make: other.First,
		})
	}
	sweep := attack.Sweep{Claims: claims, Bases: bases}
	return sweep.Run(ctx, p, trial)
}

// claimVersion replaces the revision in the body and in the header, as a client of another one
// writes it.
func claimVersion(request *bench.Request, before, after string) {
	request.Body = bytes.ReplaceAll(request.Body, []byte(before), []byte(after))
	request.Header.Set("Mcp-Protocol-Version", after)
}
