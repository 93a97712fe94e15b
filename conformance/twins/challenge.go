package twins

import (
	"fmt"
	"net/http"
	"strings"
)

// challenge refuses with 401, or with 403 for want of a scope.
func (t *Twin) challenge(w http.ResponseWriter, r *http.Request, status int, withToken bool) {
	metadata := t.host(r) + "/.well-known/oauth-protected-resource/mcp"
	if t.has(HasMetadataElsewhere) {
		metadata = t.origin + "/elsewhere"
	}
	parameters := []string{fmt.Sprintf("resource_metadata=%q", metadata), fmt.Sprintf("scope=%q", scope)}
	if t.has(LeavesOutMetadataURL) {
		parameters = parameters[1:]
	}
	if t.has(AsksForOfflineAccess) {
		parameters[len(parameters)-1] = `scope="tools offline_access"`
	}
	if t.has(LeavesOutScope) {
		parameters = parameters[:len(parameters)-1]
	}
	switch {
	case status == http.StatusForbidden:
		parameters = append(parameters, `error="insufficient_scope"`)
	case withToken && !t.has(SaysNoError) || !withToken && t.has(SaysErrorToStrangers):
		parameters = append(parameters, `error="invalid_token"`)
	}
	switch {
	case t.has(SendsNoChallenge):
	case t.has(SendsBrokenChallenge):
		w.Header().Set("WWW-Authenticate", "Bearer "+strings.Join(parameters, " "))
	default:
		w.Header().Set("WWW-Authenticate", "Bearer "+strings.Join(parameters, ", "))
	}
	w.WriteHeader(status)
}
