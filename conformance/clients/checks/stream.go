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
)

// streamChecks are checks of client/stream: answers that are event streams (MCP Streamable HTTP;
// HTML Standard, Server-Sent Events).
func streamChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/stream/endless",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "HTML Standard, Server-Sent Events; CVE-2026-63119",
				Sentence:  "An event without an end is given up on, whether it is one line or many.",
				Covers:    []string{"CL-050"},
			},
			Run: streamEndless,
		},
		{
			Rule: check.Rule{
				ID:        "client/stream/other-id",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "JSON-RPC 2.0 section 5; MCP transports, Sending Messages to the Server",
				Sentence:  "A response to another id is not taken for the answer to a request, which is waited for.",
				Covers:    []string{"CL-050"},
			},
			Run: streamOtherId,
		},
		{
			Rule: check.Rule{
				ID:        "client/stream/resumed",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: handshake,
				Reference: "MCP 2025-11-25 transports, Resumability and Redelivery; HTML Standard, Server-Sent Events",
				Sentence: "Streams that break off and say retry: 0 are not taken up again without a pause, and the " +
					"id of an event puts no line into a header.",
				Covers: []string{"CL-050"},
			},
			Run: resumed,
		},
	}
}

// streamEndless tries client/stream/endless.
func streamEndless(ctx context.Context, p *bench.Probe) error {
	asked := func(r *lab.Request) bool { return r.RPC == "tools/list" && r.Bearer() != "" }
	for _, one := range []struct{ name, beginning, more string }{
		{"event of one line", "data: ", strings.Repeat("a", 64<<10)},
		{"event of many lines", "data: a\n", strings.Repeat("data: a\n", 8<<10)},
	} {
		if err := endless(ctx, p, one.name, asked, eventStream, one.beginning, one.more); err != nil {
			return err
		}
	}
	return nil
}

// streamOtherId tries client/stream/other-id.
func streamOtherId(ctx context.Context, p *bench.Probe) error {
	failure := map[string]any{"error": map[string]any{"code": -32603, "message": "of another request"}}
	err := stillWorks(
		lab.Script{},
		nil,
		variant{"a response to another id, before the answer", lab.Script{Stream: listing(failure, true)}},
	)(ctx, p)
	if err != nil {
		return err
	}
	return noHarm(lab.Script{}, gotToken, func(l *lab.Lab) string {
		if l.Called() {
			return "it was taken: the tool was called"
		}
		return ""
	}, variant{"a list of tools for another id, and nothing more", lab.Script{Stream: listing(nil, false)}})(ctx, p)
}

const eventStream = "text/event-stream"

// listing answers a request for the list of tools with a response to another id, which is the right
// one but for its id where nothing else is given, and then perhaps with the right one.
func listing(other map[string]any, right bool) func(*lab.Lab, *lab.Request, map[string]any) []any {
	return func(_ *lab.Lab, r *lab.Request, answer map[string]any) []any {
		if r.RPC != "tools/list" {
			return nil
		}
		first := map[string]any{}
		if maps.Copy(first, answer); other != nil {
			clear(first)
			maps.Copy(first, other)
		}
		first["jsonrpc"] = "2.0"
		first["id"] = 1 << 30
		if !right {
			return []any{first}
		}
		return []any{first, answer}
	}
}

// hasty is how many requests within a second are more than a client should make because it is told
// to.
const hasty = 100

func resumed(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	var broken atomic.Int64
	var begun atomic.Pointer[time.Time]
	l := try(
		ctx,
		p,
		lab.Script{Intercept: func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
			again := r.Method == http.MethodGet && r.Header.Get("Last-Event-Id") != ""
			if !l.AtEndpoint(r) || r.Bearer() == "" || r.RPC != "tools/list" && !again {
				return false
			}
			now := time.Now()
			begun.CompareAndSwap(nil, &now)
			if broken.Load() > hasty || now.Sub(*begun.Load()) > time.Second {
				return false // it has shown what it does
			}
			w.Header().Set("Content-Type", eventStream)
			fmt.Fprintf(w, "retry: 0\nid: %d\rX-Injected: 1\ndata:\n\n", broken.Add(1))
			return true
		}},
	)
	switch {
	case broken.Load() == 0:
		return &check.CannotJudge{Reason: "the client did not come as far as its list of tools", Err: ending(l)}
	case len(l.Find(func(r *lab.Request) bool {
		return r.Header.Get("X-Injected") != "" || strings.Contains(r.Header.Get("Last-Event-Id"), "X-Injected")
	})) > 0:
		return l.Insecure("the id of an event up to its line's end", "what comes after it in a header")
	case broken.Load() > hasty:
		return l.Mismatch(
			"a pause before a stream is taken up again",
			fmt.Sprintf("more than %d requests within a second", hasty),
		)
	}
	return nil
}
