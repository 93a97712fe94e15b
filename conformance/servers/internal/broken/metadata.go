package broken

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// host is the server's origin, unless it believes what a request says.
func (t *Server) host(r *http.Request) string {
	if forwarded := r.Header.Get("X-Forwarded-Host"); forwarded != "" && t.has(BelievesForwardedHost) {
		return (&url.URL{Scheme: "http", Host: forwarded}).String()
	}
	return t.origin
}

// openToPages lets pages of other sites read what is below /.well-known, and that nothing is. It
// answers their preflights.
func (t *Server) openToPages(w http.ResponseWriter, r *http.Request) (answered bool) {
	if !strings.HasPrefix(r.URL.Path, "/.well-known/") ||
		t.has(HidesAbsenceFromPages) && r.URL.Path == "/.well-known/oauth-protected-resource" {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	if r.Method != http.MethodOptions {
		return false
	}
	w.Header().Set("Access-Control-Allow-Headers", "MCP-Protocol-Version")
	w.WriteHeader(http.StatusNoContent)
	return true
}

func (t *Server) serveResource(w http.ResponseWriter, r *http.Request) {
	document := map[string]any{
		"resource":                 t.host(r) + "/mcp",
		"authorization_servers":    []string{t.origin},
		"bearer_methods_supported": []string{"header"},
		"scopes_supported":         []string{"tools"},
	}
	document["signed_metadata"] = t.signedMetadata(t.host(r) + "/mcp")
	switch {
	case t.has(OffersEverything):
		document["scopes_supported"] = []string{scope, "tools.*"}
	case t.has(DescribesAnother):
		document["resource"] = t.origin + "/other"
	case t.has(NamesNoIssuer):
		delete(document, "authorization_servers")
	case t.has(TakesTokensInQuery):
		document["bearer_methods_supported"] = []string{"header", "query"}
	case t.has(ListsOfflineAccess):
		document["scopes_supported"] = []string{scope, "offline_access"}
	case t.has(DescribesAnything):
		document["resource"] = t.origin + strings.TrimPrefix(r.URL.Path, "/.well-known/oauth-protected-resource")
	case t.has(HasEmptyArrays):
		document["resource_signing_alg_values_supported"] = []string{}
	case t.has(ServesMetadataAsText):
		text, _ := json.Marshal(document)
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(text)
		return
	}
	write(w, http.StatusOK, document)
}

func (t *Server) serveIssuer(w http.ResponseWriter) {
	document := map[string]any{
		"issuer":                           t.origin,
		"authorization_endpoint":           t.origin + "/authorize",
		"token_endpoint":                   t.origin + "/token",
		"jwks_uri":                         t.origin + "/keys",
		"registration_endpoint":            t.origin + "/register",
		"response_types_supported":         []string{"code"},
		"code_challenge_methods_supported": []string{"S256"},
	}
	switch {
	case t.has(HasSlashInIssuer):
		document["issuer"] = t.origin + "/"
	case t.has(HasNoTokenEndpoint):
		delete(document, "token_endpoint")
	case t.has(AdvertisesNoPKCE):
		delete(document, "code_challenge_methods_supported")
	case t.has(HasEmptyIssuerArrays):
		document["ui_locales_supported"] = []string{}
	}
	write(w, http.StatusOK, document)
}
