package engine

import (
	"encoding/json"
	"net/http"
)

// first is the request that a client of the probe's revision begins with: the initialize handshake, or server/discover with everything in _meta and mirrored in
// headers.
func (p *Probe) first() ([]byte, http.Header) {
	header := http.Header{"Content-Type": {"application/json"}}
	info := map[string]any{"name": "mcp-auth-conformance", "version": "1"}
	if p.Revision == R20260728 {
		header.Set("Mcp-Protocol-Version", string(p.Revision))
		header.Set("Mcp-Method", "server/discover")
		return message(1, "server/discover", map[string]any{"_meta": map[string]any{
			"io.modelcontextprotocol/protocolVersion":    p.Revision,
			"io.modelcontextprotocol/clientInfo":         info,
			"io.modelcontextprotocol/clientCapabilities": map[string]any{},
		}}), header
	}
	return message(1, "initialize", map[string]any{"protocolVersion": p.Revision, "clientInfo": info, "capabilities": map[string]any{}}), header
}

// Notification is one that a client of the handshake revisions sends.
func Notification() []byte { return message(0, "notifications/initialized", nil) }

func message(id int, method string, params map[string]any) []byte {
	fields := map[string]any{"jsonrpc": "2.0", "method": method}
	if id > 0 {
		fields["id"] = id
	}
	if params != nil {
		fields["params"] = params
	}
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err) // our own maps
	}
	return text
}
