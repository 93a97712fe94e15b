package broken

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// challenge refuses a request with 401, or with 403 if the scope is missing. It names the error
// unless the request had no token.
func (s *Server) challenge(w http.ResponseWriter, r *http.Request, status int, code, token string) {
	metadata := s.host(r) + "/.well-known/oauth-protected-resource/mcp"
	if s.has(IsItsOrigin) {
		metadata = s.origin + "/.well-known/oauth-protected-resource"
	}
	if s.has(HasMetadataElsewhere) {
		metadata = s.origin + "/elsewhere"
	}
	if s.has(AnnouncesNowhere) {
		metadata = s.origin + "/nowhere"
	}
	needed := scope
	lacking := code == "insufficient_scope"
	switch {
	case s.has(AsksForOfflineAccess) && !lacking, s.has(AsksForOfflineAccessLater) && lacking:
		needed += " offline_access"
	case s.has(ChangesScopes):
		s.mu.Lock()
		s.challenges++
		needed += fmt.Sprintf(" extra-%d", s.challenges)
		s.mu.Unlock()
	case s.has(AsksForTooFewScopes):
		needed = "tool"
	}
	var parameters []string
	isHidden := s.has(HidesMetadataFromOthers) && !s.isNamed(r.Host)
	if !isHidden && s.announces(lacking, token) {
		parameters = append(parameters, fmt.Sprintf("resource_metadata=%q", metadata))
	}
	if s.namesScope(lacking) {
		parameters = append(parameters, fmt.Sprintf("scope=%q", needed))
	}
	switch {
	case code == "" && s.has(SendsErrorWithoutToken):
		code = "invalid_token"
	case s.has(OmitsErrorOfExpiry) && s.isExpired(token):
		code = ""
	case code == "invalid_token" && s.has(OmitsInvalidToken), lacking && s.has(OmitsInsufficientScope):
		code = ""
	}
	if code != "" {
		parameters = append(parameters, fmt.Sprintf("error=%q", code))
	}
	if id := keyID(token); id != "" && s.has(RepeatsKeyID) {
		parameters = append(parameters, fmt.Sprintf("error_description=%q", "no key "+id))
	}
	if code != "" && s.has(QuotesInDescriptions) {
		parameters = append(parameters, fmt.Sprintf("error_description=%q", `the "token" is bad`))
	}
	switch {
	case s.has(SendsNoChallenge), s.has(ChallengesPostsOnly) && r.Method != http.MethodPost:
	case s.has(SendsBrokenChallenge):
		w.Header().Set("WWW-Authenticate", "Bearer "+strings.Join(parameters, " "))
	default:
		w.Header().Set("WWW-Authenticate", "Bearer "+strings.Join(parameters, ", "))
	}
	if s.has(StartsSessionsInRefusals) {
		w.Header().Set("Mcp-Session-Id", "early")
	}
	s.addChallenges(w, status)
	s.echo(w, token, false)
	w.WriteHeader(status)
	switch {
	case s.has(NamesToolsLikeErrors):
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_token"})
	case s.has(ListsToolsInRefusals), s.has(ListsToolsInForbidden) && status == http.StatusForbidden:
		_ = json.NewEncoder(w).Encode(map[string]any{"tools": []string{toolName}})
	case s.has(ExplainsRefusals) && token != "":
		fmt.Fprintf(w, "%x", len(token))
	}
}

// announces reports whether the challenge has resource_metadata. Lacking says that the scope lacks.
func (s *Server) announces(lacking bool, token string) bool {
	switch {
	case s.has(OmitsMetadataURL), lacking && s.has(OmitsMetadataIn403):
		return false
	}
	return token == "" || lacking || !s.has(OmitsMetadataAtTokens)
}

// namesScope reports whether the challenge names the scope. Lacking says that the token lacks it.
func (s *Server) namesScope(lacking bool) bool {
	if s.has(OmitsScope) {
		return false
	}
	if lacking {
		return !s.has(OmitsNeededScope)
	}
	return !s.has(NamesNoScopes)
}

// isExpired reports whether a token would be good if it had not expired.
func (s *Server) isExpired(token string) bool {
	_, fresh := s.verify(token, false)
	_, kept := s.verify(token, true)
	return kept && !fresh
}

// keyID returns the kid in the header of a token.
func keyID(token string) string {
	head, _, _ := strings.Cut(token, ".")
	text, _ := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		ID string `json:"kid"`
	}
	_ = json.Unmarshal(text, &header)
	return header.ID
}

// Faults in challenges after the first.
const (
	LeavesQuoteOpen      Fault = "leaves a quote open in the second challenge of a line"
	RepeatsParameter     Fault = "repeats a parameter in the second line of challenges"
	BreaksStepUpFurther  Fault = "sends a malformed second challenge with a 403"
	SendsBareSecondLines Fault = "sends a second Bearer challenge without parameters"
)

// addChallenges adds malformed challenges after the first.
func (s *Server) addChallenges(w http.ResponseWriter, status int) {
	switch first := w.Header().Get("WWW-Authenticate"); {
	case s.has(LeavesQuoteOpen):
		w.Header().Set("WWW-Authenticate", first+`, Basic realm="tools`)
	case s.has(RepeatsParameter):
		w.Header().Add("WWW-Authenticate", `DPoP algs="ES256", algs="RS256"`)
	case s.has(BreaksStepUpFurther) && status == http.StatusForbidden:
		w.Header().Add("WWW-Authenticate", `DPoP algs="ES256" error="insufficient_scope"`)
	case s.has(SendsBareSecondLines):
		w.Header().Add("WWW-Authenticate", "Bearer")
	}
}
