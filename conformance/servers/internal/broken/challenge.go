package broken

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// challenge refuses with 401, or with 403 for want of a scope. It says which error; none to those
// who sent no token.
func (t *Server) challenge(w http.ResponseWriter, r *http.Request, status int, code, token string) {
	metadata := t.host(r) + "/.well-known/oauth-protected-resource/mcp"
	if t.has(HasMetadataElsewhere) {
		metadata = t.origin + "/elsewhere"
	}
	needed := scope
	lacking := code == "insufficient_scope"
	switch {
	case t.has(AsksForOfflineAccess):
		needed += " offline_access"
	case t.has(ChangesScopes):
		t.mu.Lock()
		t.challenges++
		needed += fmt.Sprintf(" extra-%d", t.challenges)
		t.mu.Unlock()
	case t.has(AsksForTooLittle):
		needed = "tool"
	}
	var parameters []string
	if !t.has(LeavesOutMetadataURL) && !(lacking && t.has(LeavesOutMetadataIn403)) {
		parameters = append(parameters, fmt.Sprintf("resource_metadata=%q", metadata))
	}
	if !t.has(LeavesOutScope) && !(lacking && t.has(LeavesOutNeededScope)) {
		parameters = append(parameters, fmt.Sprintf("scope=%q", needed))
	}
	switch {
	case code == "" && t.has(SaysErrorToStrangers):
		code = "invalid_token"
	case code == "invalid_token" && t.has(SaysNoError), lacking && t.has(SaysNoInsufficient):
		code = ""
	}
	if code != "" {
		parameters = append(parameters, fmt.Sprintf("error=%q", code))
	}
	if id := keyID(token); id != "" && t.has(RepeatsKeyID) {
		parameters = append(parameters, fmt.Sprintf("error_description=%q", "no key "+id))
	}
	switch {
	case t.has(SendsNoChallenge):
	case t.has(SendsBrokenChallenge):
		w.Header().Set("WWW-Authenticate", "Bearer "+strings.Join(parameters, " "))
	default:
		w.Header().Set("WWW-Authenticate", "Bearer "+strings.Join(parameters, ", "))
	}
	if t.has(MintsSessionsEarly) {
		w.Header().Set("Mcp-Session-Id", "early")
	}
	w.WriteHeader(status)
	switch {
	case t.has(ListsToolsToAnybody):
		_ = json.NewEncoder(w).Encode(map[string]any{"tools": []string{toolName}})
	case t.has(ExplainsRefusals) && token != "":
		fmt.Fprintf(w, "%x", len(token))
	}
}

// keyID is the kid in the head of a token.
func keyID(token string) string {
	head, _, _ := strings.Cut(token, ".")
	text, _ := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		ID string `json:"kid"`
	}
	_ = json.Unmarshal(text, &header)
	return header.ID
}
