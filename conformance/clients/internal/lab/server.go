package lab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
)

const wellKnownResource = "/.well-known/oauth-protected-resource"

// serveServer is the MCP server: its endpoint, its metadata and, of MCP 2025-03-26, its
// authorization server.
func (l *Lab) serveServer(w http.ResponseWriter, r *Request) {
	switch {
	case r.Path == l.script.Path:
		l.serveEndpoint(w, r)
	case !l.legacy() && slices.Contains(l.resourceAt(), r.Path) && r.Method == http.MethodGet:
		document := map[string]any{
			"resource":                 l.URL(),
			"authorization_servers":    []string{l.IssuerID(Issuer)},
			"bearer_methods_supported": []string{"header"},
		}
		if r.Path == wellKnownResource {
			document["resource"] = l.Origin(Server)
		}
		if l.script.Scopes != nil {
			document["scopes_supported"] = l.script.Scopes
		}
		if l.script.Resource != nil {
			l.script.Resource(l, r.Path, document)
		}
		write(w, http.StatusOK, document)
	case l.legacy():
		l.serveIssuer(Server, w, r)
	default:
		http.Error(w, "nothing here", http.StatusNotFound)
	}
}

func (l *Lab) resourceAt() []string {
	if l.script.ResourceAt == nil {
		return []string{wellKnownResource + l.script.Path}
	}
	return l.script.ResourceAt
}

// Challenge is the challenge of a 401 that belongs there.
func (l *Lab) Challenge() string {
	parameters := []string{`realm="lab"`}
	if !l.legacy() && len(l.resourceAt()) > 0 {
		parameters = append(parameters, fmt.Sprintf(`resource_metadata="%s"`, l.Origin(Server)+l.resourceAt()[0]))
	}
	if l.script.Scope != "" {
		parameters = append(parameters, fmt.Sprintf(`scope="%s"`, l.script.Scope))
	}
	return "Bearer " + strings.Join(parameters, ", ")
}

func (l *Lab) serveEndpoint(w http.ResponseWriter, r *Request) {
	token, number, good := l.ledger.good(r.Bearer())
	if r.RPC == "tools/call" && number != 0 && number <= l.script.OldTokens {
		good = false
	}
	if !l.script.Open && !good && !l.forgiven() {
		lines := []string{l.Challenge()}
		if l.script.Challenge != nil {
			lines = l.script.Challenge(l)
		}
		if number != 0 && l.script.Challenge == nil {
			lines[0] += `, error="invalid_token"`
		}
		w.Header()["Www-Authenticate"] = lines
		http.Error(w, "a token is needed", http.StatusUnauthorized)
		return
	}
	if r.RPC == "tools/call" && !l.script.Open {
		if wanted := l.wanted(token.Scopes); wanted != nil {
			w.Header().Set(
				"WWW-Authenticate",
				fmt.Sprintf(
					`%s, error="insufficient_scope", scope="%s"`,
					strings.Split(l.Challenge(), ", scope=")[0],
					strings.Join(wanted, " "),
				),
			)
			http.Error(w, "more scope is needed", http.StatusForbidden)
			return
		}
	}
	l.serveRPC(w, r)
}

// forgiven reports whether everything is let through, and remembers that a 401 is about to be sent.
func (l *Lab) forgiven() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.refused
	l.refused = true
	return was && l.script.Lenient
}

// wanted is the scopes that a call needs beyond those of its token, or nil.
func (l *Lab) wanted(has []string) []string {
	if l.script.StepUp != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.stepUps++
		return l.script.StepUp(l.stepUps)
	}
	if slices.ContainsFunc(l.script.ToolScopes, func(one string) bool { return !slices.Contains(has, one) }) {
		return l.script.ToolScopes
	}
	return nil
}

// unsupported is the JSON-RPC error of MCP 2026-07-28 for a revision that is not spoken.
const unsupported = -32022

func (l *Lab) serveRPC(w http.ResponseWriter, r *Request) {
	modern := l.script.Revision == check.R20260728
	switch {
	case r.Method == http.MethodDelete && !modern:
		w.WriteHeader(http.StatusOK)
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	case r.JSON == nil:
		http.Error(w, "want a JSON-RPC message", http.StatusBadRequest)
		return
	}
	id, asked := r.JSON["id"]
	refuse := func(status, code int, message string, data any) {
		write(
			w,
			status,
			map[string]any{
				"jsonrpc": "2.0",
				"id":      id,
				"error":   map[string]any{"code": code, "message": message, "data": data},
			},
		)
	}
	session := r.Header.Get("Mcp-Session-Id")
	switch {
	case !modern && session != "" && l.sessionGone(session):
		http.Error(w, "the session is gone", http.StatusNotFound)
		return
	case !asked:
		w.WriteHeader(http.StatusAccepted)
		return
	case modern && r.RPC == "initialize":
		refuse(
			http.StatusBadRequest,
			unsupported,
			"unsupported protocol version",
			map[string]any{"supported": []string{string(check.R20260728)}},
		)
		return
	case !modern && r.RPC == "server/discover":
		refuse(http.StatusBadRequest, -32000, "initialize comes first", nil)
		return
	}
	result := map[string]any{}
	switch r.RPC {
	case "initialize":
		l.mu.Lock()
		l.session++
		w.Header().Set("Mcp-Session-Id", fmt.Sprintf("session-%d-%p", l.session, l))
		l.mu.Unlock()
		result = map[string]any{
			"protocolVersion": l.script.Revision,
			"capabilities":    capabilities(),
			"serverInfo":      info(),
		}
	case "server/discover":
		result = map[string]any{
			"supportedVersions": []string{string(l.script.Revision)},
			"capabilities":      capabilities(),
			"serverInfo":        info(),
			"_meta":             map[string]any{"io.modelcontextprotocol/serverInfo": info()},
			"ttlMs":             0,
			"cacheScope":        "private",
		}
	case "tools/list":
		tool := map[string]any{
			"name":        bench.ToolName,
			"description": "Says hello.",
			"inputSchema": map[string]any{"type": "object", "properties": map[string]any{}},
		}
		if l.script.Tool != nil {
			l.script.Tool(l, tool)
		}
		result = map[string]any{"tools": []any{tool}}
		if modern {
			result["ttlMs"] = l.script.ListTTL.Milliseconds()
			result["cacheScope"] = "private"
		}
	case "tools/call":
		l.mu.Lock()
		l.called++
		l.mu.Unlock()
		result = map[string]any{"content": []any{map[string]any{"type": "text", "text": "hello"}}}
	case "ping":
	default:
		refuse(http.StatusNotFound, -32601, "method not found", nil)
		return
	}
	if modern {
		result["resultType"] = "complete"
	}
	answer := map[string]any{"jsonrpc": "2.0", "id": id, "result": result}
	if l.script.Stream != nil {
		if messages := l.script.Stream(l, r, answer); messages != nil {
			stream(w, messages)
			return
		}
	}
	write(w, http.StatusOK, answer)
}

// stream answers with an event for each message.
func stream(w http.ResponseWriter, messages []any) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, one := range messages {
		text, err := json.Marshal(one)
		if err != nil {
			return // the stream breaks off
		}
		fmt.Fprintf(w, "event: message\ndata: %s\n\n", text)
	}
}

// EndSession ends the session that a request names: whoever uses it further gets a 404.
func (l *Lab) EndSession(r *Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone[r.Header.Get("Mcp-Session-Id")] = true
}

func (l *Lab) sessionGone(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone[id]
}

func capabilities() map[string]any { return map[string]any{"tools": map[string]any{}} }

func info() map[string]any { return map[string]any{"name": "lab", "version": "1"} }

func write(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}
