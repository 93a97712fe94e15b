package checks

import (
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// messageChecks are checks of server/message.
func messageChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:       "server/message/content-type",
				Level:    check.Should,
				Severity: check.High,
				Reference: "MCP transports, Sending Messages to the Server; WHATWG Fetch, CORS-safelisted " +
					"request-header",
				Sentence: "A body of a media type that a page may send to anybody without asking is refused.",
				Covers:   []string{"RS-092"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run: attack.RefusesAll(bench.AnyRefusal(),
				attack.Vector{Name: "text/plain", Change: ofType("text/plain")},
				attack.Vector{Name: "a form", Change: ofType("application/x-www-form-urlencoded")},
				attack.Vector{Name: "a multipart form", Change: ofType("multipart/form-data; boundary=x")},
				attack.Vector{Name: "text/plain that ends like JSON", Change: ofType("text/plain; application/json")},
			),
		},
		{
			Rule: check.Rule{
				ID:        "server/message/ambiguous",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 8259 section 4; JSON-RPC 2.0 section 4",
				Sentence:  "A message that two parsers could read in two ways is refused.",
				Covers:    []string{"RS-100"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.CanaryTool},
			Run: attack.RefusesAll(bench.AnyRefusal(),
				attack.Vector{Name: "method twice", Change: replacing(`"method":`, `"method":"tools/list","method":`)},
				attack.Vector{
					Name:   "method twice, the other way round",
					Change: replacing(`"method":"tools/call"`, `"method":"tools/call","method":"tools/list"`),
				},
				attack.Vector{
					Name:   "Method beside method",
					Change: replacing(`"method":`, `"Method":"tools/list","method":`),
				},
				attack.Vector{
					Name:   "METHOD behind method",
					Change: replacing(`"method":"tools/call"`, `"method":"tools/list","METHOD":"tools/call"`),
				},
				attack.Vector{
					Name:   "params twice",
					Change: replacing(`"params":`, `"params":{"name":"no-such-tool"},"params":`),
				},
			),
		},
	}
}

// ofType is a good request of another media type.
func ofType(kind string) func(*bench.Request, string) {
	return func(request *bench.Request, good string) {
		request.Header.Set("Authorization", "Bearer "+good)
		request.Header.Set("Content-Type", kind)
	}
}

// replacing is a good request with a piece of its text replaced, once.
func replacing(old, text string) func(*bench.Request, string) {
	return func(request *bench.Request, good string) {
		request.Header.Set("Authorization", "Bearer "+good)
		request.Body = []byte(strings.Replace(string(request.Body), old, text, 1))
	}
}
