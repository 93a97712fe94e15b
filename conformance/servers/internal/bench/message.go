package bench

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"

	"mcpentra/conformance/check"
)

// Message returns a request with one MCP message in the form of the probe's revision. Since
// 2026-07-28 that means _meta, and headers that mirror the body. It has no credentials.
func (p *Probe) Message(method string, params map[string]any) Request {
	return p.message(int(p.ids.Add(1)), method, params)
}

// Notification returns a Message that expects no response.
func (p *Probe) Notification(method string) Request { return p.message(0, method, nil) }

func (p *Probe) message(id int, method string, params map[string]any) Request {
	header := http.Header{"Content-Type": {"application/json"}}
	switch {
	case p.Revision == check.R20260728:
		header.Set("Mcp-Protocol-Version", string(p.Revision))
		header.Set("Mcp-Method", method)
		if name, named := params["name"].(string); named {
			header.Set("Mcp-Name", name)
		}
		params = maps.Clone(params)
		if params == nil {
			params = map[string]any{}
		}
		capabilities := p.Capabilities
		if capabilities == nil {
			capabilities = map[string]any{}
		}
		params["_meta"] = map[string]any{
			"io.modelcontextprotocol/protocolVersion":    p.Revision,
			"io.modelcontextprotocol/clientInfo":         clientInfo,
			"io.modelcontextprotocol/clientCapabilities": capabilities,
		}
	case p.Revision != check.R20250326 && method != "initialize":
		header.Set("Mcp-Protocol-Version", string(p.Revision))
	}
	fields := map[string]any{"jsonrpc": "2.0", "method": method}
	if id > 0 {
		fields["id"] = id
	}
	if params != nil {
		fields["params"] = params
	}
	body, err := json.Marshal(fields)
	if err != nil {
		panic(err) // the maps hold only JSON values
	}
	return Request{Header: header, Body: body}
}

var clientInfo = map[string]any{"name": "mcp-auth-conformance", "version": "1"}

// First returns the first message of a client: initialize, or server/discover since 2026-07-28. It
// has no credentials.
func (p *Probe) First() Request {
	if p.Revision == check.R20260728 {
		return p.Message("server/discover", nil)
	}
	return p.Message(
		"initialize",
		map[string]any{"protocolVersion": p.Revision, "clientInfo": clientInfo, "capabilities": map[string]any{}},
	)
}

// A Session is the result of a handshake. A server without sessions has one without an ID.
type Session struct {
	ID    string // Mcp-Session-Id, or empty
	Token string

	probe *Probe
}

// Open does the handshake of the probe's revision with a token. An error means that the check
// cannot be done.
func (p *Probe) Open(ctx context.Context, token string) (*Session, error) {
	answer, err := p.Send(ctx, Request{Header: Bearer(token)})
	if err != nil {
		return nil, err
	}
	if p.RefusesRevision(answer) {
		return nil, &check.NotSpoken{Revision: p.Revision}
	}
	if !answer.Succeeded() {
		return nil, p.failedControl(answer)
	}
	session := &Session{Token: token, probe: p}
	if p.Revision == check.R20260728 {
		return session, nil // the revision has no sessions
	}
	session.ID = answer.Header.Get("Mcp-Session-Id")
	request := session.on(p.Notification("notifications/initialized"))
	request.Header.Set("Authorization", "Bearer "+token)
	_, err = p.Send(ctx, request)
	return session, err
}

// OpenAs opens a session with a token of a kind. An error means that the check cannot be done.
func (p *Probe) OpenAs(ctx context.Context, kind TokenKind) (*Session, error) {
	token, err := p.Token(ctx, kind)
	if err != nil {
		return nil, err
	}
	session, err := p.Open(ctx, token)
	if err != nil && kind != Good {
		return nil, &check.CannotJudge{Reason: "no session begins with a token of the kind: " + string(kind), Err: err}
	}
	return session, err
}

// Message returns a Message in the session, without credentials.
func (s *Session) Message(method string, params map[string]any) Request {
	return s.on(s.probe.Message(method, params))
}

// on adds the session's ID to a request.
func (s *Session) on(request Request) Request {
	if s.ID != "" {
		request.Header.Set("Mcp-Session-Id", s.ID)
	}
	return request
}
