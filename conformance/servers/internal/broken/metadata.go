package broken

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// host returns the server's origin, or the host that a request claims.
func (s *Server) host(r *http.Request) string {
	if forwarded := r.Header.Get("X-Forwarded-Host"); forwarded != "" && s.has(TrustsForwardedHost) {
		return (&url.URL{Scheme: "http", Host: forwarded}).String()
	}
	if original := r.Header.Get("X-Original-Host"); original != "" && s.has(NamesItselfByOriginalHost) {
		return "https://" + original
	}
	return s.origin
}

// allowPages lets pages of other sites read the answers below /.well-known, even if nothing is
// there. It answers their preflights.
func (s *Server) allowPages(w http.ResponseWriter, r *http.Request) (answered bool) {
	if !strings.HasPrefix(r.URL.Path, "/.well-known/") ||
		s.has(HidesAbsenceFromPages) && r.URL.Path == "/.well-known/oauth-protected-resource" {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	if r.Method != http.MethodOptions {
		return false
	}
	w.Header().Set("Access-Control-Allow-Headers", "MCP-Protocol-Version")
	if s.has(AllowsAllHeaders) {
		w.Header().Set("Access-Control-Allow-Headers", "authorization, *")
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

func (s *Server) serveResource(w http.ResponseWriter, r *http.Request) {
	document := map[string]any{
		"resource":                 s.host(r) + "/mcp",
		"authorization_servers":    []string{s.issuerFor(r)},
		"bearer_methods_supported": []string{"header"},
		"scopes_supported":         []string{"tools"},
	}
	document["signed_metadata"] = s.signedMetadata(s.host(r) + "/mcp")
	switch {
	case s.has(IsItsOrigin):
		document["resource"] = s.origin
		document["signed_metadata"] = s.signedMetadata(s.origin)
	case s.has(OffersEverything):
		document["scopes_supported"] = []string{scope, "tools.*"}
	case s.has(NamesNoScopes):
		delete(document, "scopes_supported")
	case s.has(DescribesAnother):
		document["resource"] = s.origin + "/other"
	case s.has(NamesNoIssuer):
		delete(document, "authorization_servers")
	case s.has(AdvertisesQueryTokens):
		document["bearer_methods_supported"] = []string{"header", "query"}
	case s.has(ListsOfflineAccess):
		document["scopes_supported"] = []string{scope, "offline_access"}
	case s.has(DescribesAnything):
		document["resource"] = s.origin + strings.TrimPrefix(r.URL.Path, "/.well-known/oauth-protected-resource")
	case s.has(HasEmptyArrays):
		document["resource_signing_alg_values_supported"] = []string{}
	case s.has(ServesMetadataAsText):
		text, _ := json.Marshal(document)
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(text)
		return
	}
	write(w, http.StatusOK, document)
}

func (s *Server) serveIssuer(w http.ResponseWriter) {
	document := map[string]any{
		"issuer":                           s.origin,
		"authorization_endpoint":           s.origin + "/authorize",
		"token_endpoint":                   s.origin + "/token",
		"jwks_uri":                         s.origin + "/keys",
		"registration_endpoint":            s.origin + "/register",
		"response_types_supported":         []string{"code"},
		"code_challenge_methods_supported": []string{"S256"},
	}
	switch {
	case s.has(HasSlashInIssuer):
		document["issuer"] = s.origin + "/"
	case s.has(HasNoTokenEndpoint):
		delete(document, "token_endpoint")
	case s.has(AdvertisesNoPKCE):
		delete(document, "code_challenge_methods_supported")
	case s.has(OffersNoRegistration):
		delete(document, "registration_endpoint")
	case s.has(RevokesInTheClear):
		document["revocation_endpoint"] = "http://revocation.example/revoke"
	case s.has(HasEmptyIssuerArrays):
		document["ui_locales_supported"] = []string{}
	case s.has(ServesMachinesOnly):
		document["grant_types_supported"] = []string{"client_credentials"}
		document["response_types_supported"] = []string{"none"}
		delete(document, "authorization_endpoint")
		delete(document, "registration_endpoint")
	}
	write(w, http.StatusOK, document)
}
