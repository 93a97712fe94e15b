package twins

import (
	"encoding/json"
	"net/http"
	"strings"
)

// toolName is the twin's only tool. It takes a marker, counts, and repeats it.
const toolName = "count"

// ran is how often the tool ran with a marker.
func (t *Twin) ran(marker string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.runs[marker]
}

// serveEndpoint lets a request through the gates: Origin, token, scope, message.
func (t *Twin) serveEndpoint(w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" && origin != t.origin && !t.has(ChecksNoOrigin) {
		http.Error(w, "foreign origin", http.StatusForbidden)
		return
	}
	caller, allowed := t.authenticate(w, r)
	if !allowed {
		return
	}
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	var request message
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&request); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	t.answer(w, r, caller, &request)
}

// authenticate finds out who calls, or refuses.
func (t *Twin) authenticate(w http.ResponseWriter, r *http.Request) (caller claims, allowed bool) {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if t.has(AcceptsQueryToken) && token == "" {
		kind, token = "Bearer", r.URL.Query().Get("access_token")
	}
	known := strings.EqualFold(kind, "Bearer")
	if t.has(WantsBearerInOneCase) {
		known = kind == "Bearer"
	}
	if known {
		caller, allowed = t.verify(token)
	}
	switch {
	case t.has(ServesEverybody):
		return caller, true
	case t.has(RefusesEverybody) || !allowed:
		t.challenge(w, r, http.StatusUnauthorized, known && token != "")
		return caller, false
	case !caller.mayCall():
		t.challenge(w, r, http.StatusForbidden, true)
		return caller, false
	}
	return caller, true
}

// message is a JSON-RPC request or notification, as far as a twin looks.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Name      string `json:"name"`
		Arguments struct {
			Marker string `json:"marker"`
		} `json:"arguments"`
	} `json:"params"`
}

// answer does what a message asks for.
func (t *Twin) answer(w http.ResponseWriter, r *http.Request, _ claims, request *message) {
	if len(request.ID) == 0 {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	result := map[string]any{}
	switch request.Method {
	case "server/discover":
		if t.has(SpeaksNoNewestRevision) {
			fail(w, http.StatusBadRequest, request, -32022, "unsupported")
			return
		}
		result["supportedVersions"] = []string{"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"}
	case "initialize":
		result["protocolVersion"] = r.Header.Get("Mcp-Protocol-Version")
	case "tools/call":
		t.mu.Lock()
		t.runs[request.Params.Arguments.Marker]++
		t.mu.Unlock()
		result["content"] = []any{map[string]string{"type": "text", "text": request.Params.Arguments.Marker}}
	}
	write(w, http.StatusOK, map[string]any{"jsonrpc": "2.0", "id": request.ID, "result": result})
}

func fail(w http.ResponseWriter, status int, request *message, code int, text string) {
	write(w, status, map[string]any{"jsonrpc": "2.0", "id": request.ID, "error": map[string]any{"code": code, "message": text}})
}
