package checks

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
	"mcpentra/conformance/internal/inputs"
)

// streamChecks are checks of client/stream: event streams as responses (MCP Streamable HTTP; HTML
// Standard, Server-Sent Events).
func streamChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/stream/endless",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "HTML Standard, Server-Sent Events; CVE-2026-63119",
				Sentence: "The client gives up on an event that has no end, on one line or on many, in the " +
					"answer to a list or to a call and in the stream for GET.",
				Covers: []string{"CL-050"},
			},
			Needs: []bench.Need{bench.Listing},
			Run:   streamEndless,
		},
		{
			Rule: check.Rule{
				ID:        "client/stream/other-id",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "JSON-RPC 2.0 section 5; MCP transports, Sending Messages to the Server",
				Sentence: "A response to another ID is not taken as the answer. The client waits for the " +
					"right response.",
				Covers: []string{"CL-050"},
			},
			Needs: []bench.Need{bench.Listing, bench.Calling},
			Run:   streamOtherID,
		},
		{
			Rule: check.Rule{
				ID:        "client/stream/flood",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "JSON-RPC 2.0 section 5; CVE-2026-63119",
				Sentence: "Among 10,000 responses to other IDs, at once in one stream, the client finds the right " +
					"response or gives up. It neither hangs nor uses another one.",
				Covers: []string{"CL-050"},
			},
			Needs: []bench.Need{bench.Listing, bench.Calling},
			Run:   ifItEnds(streamFlood),
		},
		{
			Rule: check.Rule{
				ID:        "client/stream/resumed",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: handshake,
				Reference: "MCP 2025-11-25 transports, Resumability and Redelivery; HTML Standard, Server-Sent Events",
				Sentence: "The client pauses before it resumes a stream that broke off with retry: 0, and " +
					"the ID of an event adds no header line.",
				Covers: []string{"CL-050"},
			},
			Needs: []bench.Need{bench.Listing},
			Run:   streamResumed,
		},
	}
}

// streamEndless tries client/stream/endless: in the answer to the list, in the answer to a call,
// and in the stream that a client opens with GET.
func streamEndless(ctx context.Context, p *bench.Probe) error {
	answering := func(method string) func(*lab.Request) bool {
		return func(r *lab.Request) bool { return r.RPC == method && r.Bearer() != "" }
	}
	line := strings.Repeat("a", 64<<10)
	lines := strings.Repeat("data: a\n", 8<<10)
	events := []endlessDocument{
		{name: "event of one line", answers: answering("tools/list"), start: "data: ", more: line},
		{name: "event of many lines", answers: answering("tools/list"), start: "data: a\n", more: lines},
		{name: "event of the stream for GET", answers: asksForStream, start: "data: ", more: line, optional: true},
	}
	if p.Look.Calls {
		events = append(events, endlessDocument{
			name:    "event of a call",
			answers: answering("tools/call"),
			start:   "data: ",
			more:    line,
		})
	}
	return inputs.TryAll(events, func(event endlessDocument) error {
		event.contentType = eventStream
		return sendEndless(ctx, p, event)
	})
}

// asksForStream reports whether a request asks for a stream of messages from the server.
func asksForStream(r *lab.Request) bool {
	return r.Method == http.MethodGet && r.Party == lab.Server && r.Bearer() != "" &&
		strings.Contains(r.Header.Get("Accept"), eventStream)
}

// streamOtherID tries client/stream/other-id.
func streamOtherID(ctx context.Context, p *bench.Probe) error {
	failure := map[string]any{"error": map[string]any{"code": -32603, "message": "of another request"}}
	before := variant{
		"a response to another ID before the right one",
		lab.Script{Stream: respondToOtherID(failure, true)},
	}
	if err := stillWorks(lab.Script{}, nil, before)(ctx, p); err != nil {
		return err
	}
	if err := wantListedOnly(ctx, p); err != nil {
		return err
	}
	only := variant{
		"only a list of tools for another ID",
		lab.Script{Stream: respondToOtherID(nil, false)},
	}
	return noHarm(lab.Script{}, requestedToken, toolCalled, only)(ctx, p)
}

// floodSize is the number of responses to other IDs.
const floodSize = 10_000

// streamFlood tries client/stream/flood.
func streamFlood(ctx context.Context, p *bench.Probe) error {
	before := variant{
		"10,000 responses to other IDs before the right one",
		lab.Script{Stream: floodWithOtherIDs(true)},
	}
	if err := noHarm(lab.Script{}, requestedToken, hung, before)(ctx, p); err != nil {
		return err
	}
	if err := wantListedOnly(ctx, p); err != nil {
		return err
	}
	only := variant{"10,000 responses to other IDs", lab.Script{Stream: floodWithOtherIDs(false)}}
	return noHarm(lab.Script{}, requestedToken, toolCalled, only)(ctx, p)
}

// floodWithOtherIDs answers tools/list with many right results whose IDs match no request. If right
// is set, the right response follows.
func floodWithOtherIDs(right bool) func(*lab.Lab, *lab.Request, map[string]any) []any {
	return func(_ *lab.Lab, r *lab.Request, answer map[string]any) []any {
		if r.RPC != "tools/list" {
			return nil
		}
		messages := make([]any, 0, floodSize+1)
		for i := range floodSize {
			other := map[string]any{"jsonrpc": "2.0", "id": otherIDs + i, "error": refusalOfOther}
			if !right && i%100 == 0 {
				other = map[string]any{"jsonrpc": "2.0", "id": otherIDs + i, "result": answer["result"]}
			}
			messages = append(messages, other)
		}
		if right {
			messages = append(messages, answer)
		}
		return messages
	}
}

// otherIDs is the first of the IDs that match no request.
const otherIDs = 1_000_000

// refusalOfOther is the error in a response to another request. It is short, because clients bound
// the length of a stream.
var refusalOfOther = map[string]any{"code": -1, "message": ""}

// toolCalled reports a tool call.
func toolCalled(l *lab.Lab) string {
	if l.Called() {
		return "the tool was called"
	}
	return ""
}

const eventStream = "text/event-stream"

// respondToOtherID answers tools/list with a response whose ID matches no request. The response
// holds the right result unless other replaces it. If right is set, the right response follows.
func respondToOtherID(other map[string]any, right bool) func(*lab.Lab, *lab.Request, map[string]any) []any {
	return func(_ *lab.Lab, r *lab.Request, answer map[string]any) []any {
		if r.RPC != "tools/list" {
			return nil
		}
		first := maps.Clone(answer)
		if other != nil {
			first = maps.Clone(other)
		}
		first["jsonrpc"] = "2.0"
		first["id"] = 1 << 30
		if !right {
			return []any{first}
		}
		return []any{first, answer}
	}
}

// hastyRequests is the number of requests in a second that proves that a client does not pause.
const hastyRequests = 40

// streamResumed tries client/stream/resumed. For a second, it breaks off each stream after an event
// with retry: 0, and with an ID that holds a header line.
func streamResumed(ctx context.Context, p *bench.Probe) error {
	if err := wantControl(ctx, p, lab.Script{}); err != nil {
		return err
	}
	var broken atomic.Int64
	var first atomic.Pointer[time.Time]
	breakOff := func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
		resumes := r.Method == http.MethodGet && r.Header.Get("Last-Event-Id") != ""
		if !l.AtEndpoint(r) || r.Bearer() == "" || r.RPC != "tools/list" && !resumes {
			return false
		}
		now := time.Now()
		first.CompareAndSwap(nil, &now)
		if broken.Load() > hastyRequests || now.Sub(*first.Load()) > time.Second {
			return false // the client has shown its behaviour
		}
		w.Header().Set("Content-Type", eventStream)
		fmt.Fprintf(w, "retry: 0\nid: %d\rX-Injected: 1\ndata:\n\n", broken.Add(1))
		return true
	}
	l := runClient(ctx, p, lab.Script{Intercept: breakOff})
	isInjected := func(r *lab.Request) bool {
		return r.Header.Get("X-Injected") != "" || strings.Contains(r.Header.Get("Last-Event-Id"), "X-Injected")
	}
	switch {
	case broken.Load() == 0:
		return &check.CannotJudge{Reason: "the client did not reach its list of tools", Err: ending(l)}
	case l.Saw(isInjected):
		return l.Insecure("the event's ID up to the end of the line", "the rest of the ID in a header")
	case broken.Load() > hastyRequests:
		return l.Mismatch(
			"a pause before the stream is resumed",
			fmt.Sprintf("more than %d requests within a second", hastyRequests),
		)
	}
	return nil
}
