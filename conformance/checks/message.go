package checks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"mcpentra/conformance/engine"
)

// Errors of MCP 2026-07-28.
const (
	codeHeaderMismatch = -32020
	codeUnsupported    = -32022
	codeNoMethod       = -32601
)

var newest = []engine.Revision{engine.R20260728}

// message: that what is judged of a request is what is done, and in which revision (MCP transports).
func message() []engine.Check {
	good := []engine.TokenKind{engine.Good}
	return []engine.Check{
		{
			ID: "server/message/content-type", Role: engine.Server, Level: engine.Should, Severity: engine.High, Needs: good, Covers: []string{"RS-092"},
			Reference: "MCP transports, Sending Messages to the Server; WHATWG Fetch, CORS-safelisted request-header",
			Sentence:  "A body of a media type that a page may send to anybody without asking is refused.",
			Run: denied(engine.AnyRefusal(),
				vector{name: "text/plain", change: ofType("text/plain")},
				vector{name: "a form", change: ofType("application/x-www-form-urlencoded")},
				vector{name: "a multipart form", change: ofType("multipart/form-data; boundary=x")},
				vector{name: "text/plain that ends like JSON", change: ofType("text/plain; application/json")},
			),
		},
		{
			ID: "server/message/ambiguous", Role: engine.Server, Level: engine.Policy, Severity: engine.High, Needs: good, NeedsCanary: true, Covers: []string{"RS-100"},
			Reference: "RFC 8259 section 4; JSON-RPC 2.0 section 4",
			Sentence:  "A message that two parsers could read in two ways is refused.",
			Run: denied(engine.AnyRefusal(),
				vector{name: "method twice", change: replacing(`"method":`, `"method":"tools/list","method":`)},
				vector{name: "method twice, the other way round", change: replacing(`"method":"tools/call"`, `"method":"tools/call","method":"tools/list"`)},
				vector{name: "Method beside method", change: replacing(`"method":`, `"Method":"tools/list","method":`)},
				vector{name: "METHOD behind method", change: replacing(`"method":"tools/call"`, `"method":"tools/list","METHOD":"tools/call"`)},
				vector{name: "params twice", change: replacing(`"params":`, `"params":{"name":"no-such-tool"},"params":`)},
			),
		},
		{
			ID: "server/version/unsupported", Role: engine.Server, Level: engine.Must, EachRevision: true, Revisions: withMetadata, Needs: good, Covers: []string{"server-version-header-400"},
			Reference: "MCP 2025-06-18 transports, Protocol Version Header",
			Sentence:  "A request whose MCP-Protocol-Version names no revision that the server speaks is refused with 400.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				trial, err := p.Trial(ctx)
				if err != nil {
					return err
				}
				for _, unknown := range []string{"1900-01-01", "2999-01-01"} {
					request := trial.Session.Message("tools/list", nil)
					request.Header.Set("Authorization", "Bearer "+trial.Token)
					request.Header.Set("Mcp-Protocol-Version", unknown)
					request.Body = []byte(strings.ReplaceAll(string(request.Body), string(p.Revision), unknown))
					answer, err := p.Send(ctx, request)
					if err != nil {
						return err
					}
					if answer.Status != http.StatusBadRequest {
						return p.Mismatch("status 400 to "+unknown, fmt.Sprintf("status %d", answer.Status))
					}
					// An old revision looks like one of those that have no such error.
					if code := errorCode(answer); p.Revision == engine.R20260728 && unknown > string(p.Revision) && code != codeUnsupported {
						return p.Mismatch(fmt.Sprintf("the error %d to %s", codeUnsupported, unknown), fmt.Sprintf("the error %d", code))
					}
				}
				return nil
			},
		},
		{
			ID: "server/version/absent", Role: engine.Server, Level: engine.Should, EachRevision: true, Revisions: []engine.Revision{engine.R20250618, engine.R20251125}, Needs: good,
			Covers:    []string{"server-version-header-absent"},
			Reference: "MCP 2025-06-18 transports, Protocol Version Header",
			Sentence:  "A request without MCP-Protocol-Version is taken for one of 2025-03-26, and not refused.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				trial, err := p.Trial(ctx)
				if err != nil {
					return err
				}
				request := trial.Session.Message("tools/list", nil)
				request.Header.Set("Authorization", "Bearer "+trial.Token)
				request.Header["Mcp-Protocol-Version"] = nil
				answer, err := p.Send(ctx, request)
				if err == nil && answer.Status != http.StatusOK {
					return p.Mismatch("status 200", fmt.Sprintf("status %d", answer.Status))
				}
				return err
			},
		},
		{
			ID: "server/modern/header-mismatch", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Revisions: newest, Needs: good, NeedsCanary: true,
			Covers:    []string{"RS-099", "server-modern-header-mismatch"},
			Reference: "MCP 2026-07-28 transports, Standard Request Headers",
			Sentence:  "A request whose headers say something else than its body is refused with 400 and error -32020, and what it asks for is not done.",
			Run:       headerMismatch,
		},
		{
			ID: "server/modern/unknown-method", Role: engine.Server, Level: engine.Must, Revisions: newest, Needs: good, Covers: []string{"server-modern-unknown-method-404"},
			Reference: "MCP 2026-07-28 transports, Sending Messages to the Server",
			Sentence:  "A method that the server does not have is answered with 404 and error -32601.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				trial, err := p.Trial(ctx)
				if err != nil {
					return err
				}
				request := p.Message("no/such-method", nil)
				request.Header.Set("Authorization", "Bearer "+trial.Token)
				answer, err := p.Send(ctx, request)
				if err == nil && (answer.Status != http.StatusNotFound || errorCode(answer) != codeNoMethod) {
					return p.Mismatch("status 404 with error -32601", fmt.Sprintf("status %d with error %d", answer.Status, errorCode(answer)))
				}
				return err
			},
		},
		{
			ID: "server/modern/get-delete", Role: engine.Server, Level: engine.Should, Revisions: []engine.Revision{engine.R20260728}, Needs: []engine.TokenKind{engine.Good},
			Covers:    []string{"server-modern-get-delete-405"},
			Reference: "MCP 2026-07-28 transports, Earlier Streamable HTTP Revisions",
			Sentence:  "A server that speaks 2026-07-28 alone answers GET and DELETE with 405.",
			Run:       getAndDelete,
		},
		{
			ID: "server/modern/no-sessions", Role: engine.Server, Level: engine.Should, Severity: engine.Medium, Revisions: newest, Needs: good,
			Covers:    []string{"RS-098", "server-modern-ignores-session-header"},
			Reference: "MCP 2026-07-28 transports, Backward Compatibility",
			Sentence:  "A request of 2026-07-28 that brings a session or an event ID is served as without, and gets no session.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				trial, err := p.Trial(ctx)
				if err != nil {
					return err
				}
				request := trial.Request()
				request.Header.Set("Authorization", "Bearer "+trial.Token)
				request.Header.Set("Mcp-Session-Id", "made-up")
				request.Header.Set("Last-Event-Id", "made-up")
				answer, err := p.Send(ctx, request)
				switch {
				case err != nil:
					return err
				case !answer.Succeeded():
					return p.Mismatch("the result", fmt.Sprintf("status %d", answer.Status))
				case answer.Header.Get("Mcp-Session-Id") != "":
					return p.Mismatch("no Mcp-Session-Id", "one")
				}
				return nil
			},
		},
	}
}

// ofType is a good request of another media type.
func ofType(kind string) func(*engine.Request, string) {
	return func(request *engine.Request, good string) {
		request.Header.Set("Authorization", "Bearer "+good)
		request.Header.Set("Content-Type", kind)
	}
}

// replacing is a good request with a piece of its text replaced, once.
func replacing(old, text string) func(*engine.Request, string) {
	return func(request *engine.Request, good string) {
		request.Header.Set("Authorization", "Bearer "+good)
		request.Body = []byte(strings.Replace(string(request.Body), old, text, 1))
	}
}

// errorCode is the code of a JSON-RPC error, or 0.
func errorCode(answer *engine.Answer) int {
	var message struct {
		Error struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	_ = json.Unmarshal(answer.Body, &message) // what is no error has no code
	return message.Error.Code
}

func headerMismatch(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	encoded := "=?base64?" + base64.StdEncoding.EncodeToString([]byte("harmless")) + "?="
	for name, change := range map[string]map[string]string{
		"another Mcp-Method":             {"Mcp-Method": "tools/list"},
		"another Mcp-Name":               {"Mcp-Name": "harmless"},
		"another Mcp-Name, encoded":      {"Mcp-Name": encoded},
		"another Mcp-Method and -Name":   {"Mcp-Method": "prompts/get", "Mcp-Name": "harmless"},
		"no Mcp-Method":                  {"Mcp-Method": ""},
		"no Mcp-Name":                    {"Mcp-Name": ""},
		"a revision other than in _meta": {"Mcp-Protocol-Version": string(engine.R20251125)},
	} {
		request := trial.Request()
		request.Header.Set("Authorization", "Bearer "+trial.Token)
		for header, value := range change {
			request.Header.Set(header, value)
			if value == "" {
				request.Header.Del(header)
			}
		}
		answer, err := trial.Denied(ctx, name, request, engine.AnyRefusal()...)
		if err != nil {
			return err
		}
		if code := errorCode(answer); answer.Status != http.StatusBadRequest || code != codeHeaderMismatch && change["Mcp-Protocol-Version"] == "" {
			return p.Mismatch("status 400 with error -32020: "+name, fmt.Sprintf("status %d with error %d", answer.Status, code))
		}
	}
	return nil
}

// getAndDelete are for servers that refuse the handshake of the revisions before.
func getAndDelete(ctx context.Context, p *engine.Probe) error {
	token, err := p.Control(ctx)
	if err != nil {
		return err
	}
	older := p.At(engine.R20251125)
	answer, err := older.Send(ctx, engine.Request{Header: engine.Bearer(token)})
	if err != nil {
		return err
	}
	if answer.Succeeded() {
		return &engine.NotApplicable{Reason: "the server speaks the revisions before too"}
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		answer, err := p.Send(ctx, engine.Request{Method: method, Header: engine.Bearer(token)})
		if err != nil {
			return err
		}
		if answer.Status != http.StatusMethodNotAllowed {
			return p.Mismatch("status 405 to "+method, fmt.Sprintf("status %d", answer.Status))
		}
	}
	return nil
}
