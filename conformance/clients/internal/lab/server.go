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

// serveServer is the MCP server: its endpoint and its metadata. With MCP 2025-03-26 it is also its
// own authorization server.
func (l *Lab) serveServer(w http.ResponseWriter, r *Request) {
	isMetadata := slices.Contains(l.resourceAt(), r.Path) && r.Method == http.MethodGet
	switch {
	case l.AtEndpoint(r):
		l.serveEndpoint(w, r)
	case l.isOwnIssuer():
		l.serveIssuer(Server, w, r)
	case r.Path == l.endpoints().keys && r.Method == http.MethodGet:
		l.serveKeys(w)
	case isMetadata:
		write(w, http.StatusOK, l.resourceMetadata(r.Path))
	default:
		http.Error(w, "nothing here", http.StatusNotFound)
	}
}

// resourceAt returns the paths of the protected resource metadata.
func (l *Lab) resourceAt() []string {
	if l.script.ResourceAt == nil {
		return []string{wellKnownResource + l.script.Path}
	}
	return l.script.ResourceAt
}

// resourceMetadata returns the protected resource metadata at a path (RFC 9728).
func (l *Lab) resourceMetadata(path string) map[string]any {
	document := map[string]any{
		"resource":                 l.URL(),
		"authorization_servers":    []string{l.IssuerID(Issuer)},
		"bearer_methods_supported": []string{"header"},
	}
	if path == wellKnownResource {
		document["resource"] = l.Origin(Server)
	}
	if l.script.Scopes != nil {
		document["scopes_supported"] = l.script.Scopes
	}
	if l.script.Resource != nil {
		l.script.Resource(l, path, document)
	}
	return document
}

// Challenge returns the right challenge of a 401.
func (l *Lab) Challenge() string {
	parameters := []string{`realm="lab"`}
	if !l.isOwnIssuer() && len(l.resourceAt()) > 0 {
		parameters = append(parameters, fmt.Sprintf(`resource_metadata="%s"`, l.Origin(Server)+l.resourceAt()[0]))
	}
	if l.script.Scope != "" {
		parameters = append(parameters, fmt.Sprintf(`scope="%s"`, l.script.Scope))
	}
	return "Bearer " + strings.Join(parameters, ", ")
}

// serveEndpoint is the MCP endpoint. It wants a valid token with the right scopes.
func (l *Lab) serveEndpoint(w http.ResponseWriter, r *Request) {
	if l.script.Open {
		l.serveRPC(w, r)
		return
	}
	token, number, valid := l.ledger.accessToken(r.Bearer())
	if r.RPC == "tools/call" && number != 0 && number <= l.script.ExpiredTokens {
		valid = false
	}
	if !valid && !l.isLenient() {
		l.refuseToken(w, number != 0)
		return
	}
	if r.RPC == "tools/call" {
		if missing := l.missingScopes(token.Scopes); missing != nil {
			l.refuseScopes(w, missing)
			return
		}
	}
	l.serveRPC(w, r)
}

// isLenient reports whether the server accepts a request without a valid token. If the script is
// lenient, it does so after the first token was issued.
func (l *Lab) isLenient() bool {
	return l.script.Lenient && len(l.AccessTokens(l.Authority())) > 0
}

// missingScopes returns the scopes that a call needs, or nil if the token has them.
func (l *Lab) missingScopes(has []string) []string {
	if l.script.StepUp != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.stepUps++
		return l.script.StepUp(l.stepUps)
	}
	isMissing := func(scope string) bool { return !slices.Contains(has, scope) }
	if slices.ContainsFunc(l.script.ToolScopes, isMissing) {
		return l.script.ToolScopes
	}
	return nil
}

// refuseToken answers with 401. A known token is an expired one.
func (l *Lab) refuseToken(w http.ResponseWriter, known bool) {
	lines := []string{l.Challenge()}
	if known {
		lines[0] += `, error="invalid_token"`
	}
	if l.script.Challenge != nil {
		lines = l.script.Challenge(l)
	}
	w.Header()["Www-Authenticate"] = lines
	http.Error(w, "want a valid token", http.StatusUnauthorized)
}

// refuseScopes answers with 403.
func (l *Lab) refuseScopes(w http.ResponseWriter, wanted []string) {
	withoutScope, _, _ := strings.Cut(l.Challenge(), ", scope=")
	challenge := fmt.Sprintf(
		`%s, error="insufficient_scope", scope="%s"`, withoutScope, strings.Join(wanted, " "),
	)
	w.Header().Set("WWW-Authenticate", challenge)
	http.Error(w, "want a token with more scopes", http.StatusForbidden)
}

// JSON-RPC error codes. The second is from MCP 2026-07-28.
const (
	codeMethodNotFound      = -32601
	codeUnsupportedRevision = -32022
	codeNotInitialized      = -32000
)

// isModern reports whether the server speaks a revision without a handshake.
func (l *Lab) isModern() bool { return l.script.Revision == check.R20260728 }

// serveRPC answers a request that is authorized.
func (l *Lab) serveRPC(w http.ResponseWriter, r *Request) {
	_, hasID := r.JSON["id"]
	switch {
	case r.Method == http.MethodDelete && !l.isModern():
		w.WriteHeader(http.StatusOK)
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "want a POST request", http.StatusMethodNotAllowed)
	case r.JSON == nil:
		http.Error(w, "want a JSON-RPC message", http.StatusBadRequest)
	case !l.isModern() && l.sessionEnded(r.Header.Get("Mcp-Session-Id")):
		http.Error(w, "the session has ended", http.StatusNotFound)
	case !hasID:
		w.WriteHeader(http.StatusAccepted)
	case l.isModern() && r.RPC == "initialize":
		supported := map[string]any{"supported": []string{string(check.R20260728)}}
		refuseRPC(w, r, codeUnsupportedRevision, "unsupported protocol version", supported)
	case !l.isModern() && r.RPC == "server/discover":
		refuseRPC(w, r, codeNotInitialized, "want initialize first", nil)
	default:
		l.serveMethod(w, r)
	}
}

// serveMethod answers a JSON-RPC request with its result.
func (l *Lab) serveMethod(w http.ResponseWriter, r *Request) {
	var result map[string]any
	switch r.RPC {
	case "initialize":
		result = l.initialize(w)
	case "server/discover":
		result = l.discover()
	case "tools/list":
		result = l.listTools()
	case "tools/call":
		result = l.callTool()
	case "ping":
		result = map[string]any{}
	default:
		refuseRPC(w, r, codeMethodNotFound, "method not found", nil)
		return
	}
	if l.isModern() {
		result["resultType"] = "complete"
	}
	answer := map[string]any{"jsonrpc": "2.0", "id": r.JSON["id"], "result": result}
	if l.script.Stream != nil {
		if messages := l.script.Stream(l, r, answer); messages != nil {
			stream(w, messages)
			return
		}
	}
	write(w, http.StatusOK, answer)
}

// refuseRPC answers with a JSON-RPC error. Its status is 404 for an unknown method, and 400 for
// other errors.
func refuseRPC(w http.ResponseWriter, r *Request, code int, message string, data any) {
	status := http.StatusBadRequest
	if code == codeMethodNotFound {
		status = http.StatusNotFound
	}
	write(w, status, map[string]any{
		"jsonrpc": "2.0",
		"id":      r.JSON["id"],
		"error":   map[string]any{"code": code, "message": message, "data": data},
	})
}

// initialize starts a session.
func (l *Lab) initialize(w http.ResponseWriter) map[string]any {
	l.mu.Lock()
	l.sessions++
	w.Header().Set("Mcp-Session-Id", fmt.Sprintf("session-%d-%p", l.sessions, l))
	l.mu.Unlock()
	return map[string]any{
		"protocolVersion": l.script.Revision,
		"capabilities":    capabilities(),
		"serverInfo":      info(),
	}
}

func (l *Lab) discover() map[string]any {
	return map[string]any{
		"supportedVersions": []string{string(l.script.Revision)},
		"capabilities":      capabilities(),
		"serverInfo":        info(),
		"_meta":             map[string]any{"io.modelcontextprotocol/serverInfo": info()},
		"ttlMs":             0,
		"cacheScope":        "private",
	}
}

func (l *Lab) listTools() map[string]any {
	tool := map[string]any{
		"name":        bench.ToolName,
		"description": "Says hello.",
		"inputSchema": map[string]any{"type": "object", "properties": map[string]any{}},
	}
	if l.script.Tool != nil {
		l.script.Tool(l, tool)
	}
	result := map[string]any{"tools": []any{tool}}
	if l.isModern() {
		result["ttlMs"] = l.script.ListTTL.Milliseconds()
		result["cacheScope"] = "private"
	}
	return result
}

func (l *Lab) callTool() map[string]any {
	l.mu.Lock()
	l.toolCalls++
	l.mu.Unlock()
	return map[string]any{"content": []any{map[string]any{"type": "text", "text": "hello"}}}
}

// stream answers with an event for each message.
func stream(w http.ResponseWriter, messages []any) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, message := range messages {
		text, err := json.Marshal(message)
		if err != nil {
			return // the stream breaks off
		}
		fmt.Fprintf(w, "event: message\ndata: %s\n\n", text)
	}
}

// EndSession ends the session that a request names. Further requests in it get a 404.
func (l *Lab) EndSession(r *Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endedSessions[r.Header.Get("Mcp-Session-Id")] = true
}

func (l *Lab) sessionEnded(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return id != "" && l.endedSessions[id]
}

func capabilities() map[string]any { return map[string]any{"tools": map[string]any{}} }

func info() map[string]any { return map[string]any{"name": "lab", "version": "1"} }

// write answers with JSON.
func write(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}
