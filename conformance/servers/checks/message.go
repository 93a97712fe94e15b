package checks

import (
	"strings"

	"mcpentra/conformance/check"
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
			Run:    attack.RefusesAll(bench.AnyRefusal(), messageAmbiguousVectors()...),
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
