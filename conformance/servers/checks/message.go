package checks

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// messageChecks returns the checks of server/message.
func messageChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:       "server/message/content-type",
				Level:    check.Policy,
				Severity: check.Medium,
				Reference: "MCP transports, Sending Messages to the Server; WHATWG Fetch, CORS-safelisted " +
					"request-header",
				Sentence: "A body of a media type that web pages can send without a preflight is refused.",
				Covers:   []string{"RS-092"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesAll(bench.AnyRefusal(), messageContentTypeVectors()...),
		},
		{
			Rule: check.Rule{
				ID:        "server/message/ambiguous",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 8259 section 4; JSON-RPC 2.0 section 4",
				Sentence:  "A message that two parsers could read differently is refused.",
				Covers:    []string{"RS-100"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.CanaryTool},
			Run:    attack.WithTrial(messageAmbiguous),
		},
	}
}

func messageContentTypeVectors() []attack.Vector {
	return []attack.Vector{
		{Name: "text/plain", Change: withMediaType("text/plain")},
		{Name: "a form", Change: withMediaType("application/x-www-form-urlencoded")},
		{Name: "a multipart form", Change: withMediaType("multipart/form-data; boundary=x")},
		{Name: "text/plain that ends like JSON", Change: withMediaType("text/plain; application/json")},
	}
}

// withMediaType returns a change to a good request with another media type.
func withMediaType(mediaType string) func(*bench.Request, string) {
	return func(request *bench.Request, good string) {
		request.Header.Set("Authorization", "Bearer "+good)
		request.Header.Set("Content-Type", mediaType)
	}
}

// messageAmbiguous tries server/message/ambiguous.
func messageAmbiguous(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	return inputs.TryAll([]func() error{
		func() error {
			return attack.TryVectors(ctx, p, trial, bench.AnyRefusal(), messageAmbiguousVectors()...)
		},
		func() error { return messageWithNUL(ctx, p, trial) },
	}, func(try func() error) error { return try() })
}

// messageWithNUL adds NUL to the names of members that a call needs. The tool must not run. The
// server may answer anything.
func messageWithNUL(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	return inputs.TryAll([]string{"method", "params", "name"}, func(member string) error {
		request := attack.WithToken(trial.Token, trial.Request())
		name := []byte(`"` + member + `":`)
		at := bytes.LastIndex(request.Body, name) // the name of the client comes first
		if at < 0 {
			return nil
		}
		spoiled := bytes.Replace(request.Body[at:], name, []byte(`"`+member+`\u0000":`), 1)
		request.Body = slices.Concat(request.Body[:at], spoiled)
		if answer, err := p.Send(ctx, request); err != nil {
			return err
		} else if trial.Ran(request) {
			want := "the tool not to run: NUL at the end of the name " + member
			return p.Insecure(want, fmt.Sprintf("status %d, and the tool ran", answer.Status))
		}
		return nil
	})
}

func messageAmbiguousVectors() []attack.Vector {
	return []attack.Vector{
		{Name: "method twice", Change: withReplacement(`"method":`, `"method":"tools/list","method":`)},
		{
			Name:   "method twice, the other way round",
			Change: withReplacement(`"method":"tools/call"`, `"method":"tools/call","method":"tools/list"`),
		},
		{
			Name:   "Method beside method",
			Change: withReplacement(`"method":`, `"Method":"tools/list","method":`),
		},
		{
			Name:   "METHOD behind method",
			Change: withReplacement(`"method":"tools/call"`, `"method":"tools/list","METHOD":"tools/call"`),
		},
		{
			Name:   "params twice",
			Change: withReplacement(`"params":`, `"params":{"name":"unknown-tool"},"params":`),
		},
	}
}

// withReplacement returns a change to a good request that replaces a part of its text once.
func withReplacement(before, after string) func(*bench.Request, string) {
	return func(request *bench.Request, good string) {
		request.Header.Set("Authorization", "Bearer "+good)
		request.Body = []byte(strings.Replace(string(request.Body), before, after, 1))
	}
}
