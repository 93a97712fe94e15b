package doctor_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/fakeentra/directory"
	"mcpentra/server/broker"
)

// A foreignSite is an MCP server of other people, with one habit of theirs. Its zero value sends
// people to a broker of its own, which is right.
type foreignSite struct {
	// issuer is Entra ID's issuer in the metadata. Empty means the broker.
	issuer string
	// scopes are the scopes in metadata and challenge.
	scopes []string
	// upstream changes the broker's request to Entra ID. It sees the client's request.
	upstream func(toEntra, fromClient url.Values)
	// openID also serves the document of OpenID Connect, and keys. Some libraries want them.
	openID bool
}

// handler returns the server. It answers discovery, registration and the authorization request, as
// no test gets further.
func (s *foreignSite) handler(w *world) http.Handler {
	mux := http.NewServeMux()
	issuer := s.issuer
	if issuer == "" {
		issuer = w.public
		s.mountBroker(w, mux)
	}
	metadata := map[string]any{
		"resource":                 w.endpoint(),
		"authorization_servers":    []string{issuer},
		"bearer_methods_supported": []string{"header"},
	}
	challenge := `Bearer resource_metadata="` + w.public + `/.well-known/oauth-protected-resource/mcp"`
	if len(s.scopes) > 0 {
		metadata["scopes_supported"] = s.scopes
		challenge += `, scope="` + strings.Join(s.scopes, " ") + `"`
	}
	mux.HandleFunc("/mcp", func(out http.ResponseWriter, r *http.Request) {
		value := challenge
		if r.Header.Get("Authorization") != "" {
			value += `, error="invalid_token", error_description="the token is not valid"`
		}
		out.Header().Set("WWW-Authenticate", value)
		writeJSON(out, http.StatusUnauthorized, map[string]string{"error": "invalid_token"})
	})
	mux.HandleFunc("GET /.well-known/oauth-protected-resource/mcp", func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Access-Control-Allow-Origin", "*")
		writeJSON(out, http.StatusOK, metadata)
	})
	return mux
}

// mountBroker adds an authorization server that sends people to Entra ID.
func (s *foreignSite) mountBroker(w *world, mux *http.ServeMux) {
	metadata := func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Access-Control-Allow-Origin", "*")
		writeJSON(out, http.StatusOK, map[string]any{
			"issuer":                                w.public,
			"authorization_endpoint":                w.public + "/authorize",
			"token_endpoint":                        w.public + "/token",
			"jwks_uri":                              w.public + "/keys",
			"registration_endpoint":                 w.public + "/register",
			"response_types_supported":              []string{"code"},
			"grant_types_supported":                 []string{"authorization_code", "refresh_token"},
			"token_endpoint_auth_methods_supported": []string{"none"},
			"code_challenge_methods_supported":      []string{"S256"},
		})
	}
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", metadata)
	if s.openID {
		mux.HandleFunc("GET /.well-known/openid-configuration", metadata)
	}
	mux.HandleFunc("GET /keys", func(out http.ResponseWriter, _ *http.Request) {
		writeJSON(out, http.StatusOK, map[string]any{"keys": []any{}})
	})
	mux.HandleFunc("POST /register", func(out http.ResponseWriter, r *http.Request) {
		client := map[string]any{}
		if err := json.NewDecoder(http.MaxBytesReader(out, r.Body, 1<<16)).Decode(&client); err != nil {
			writeJSON(out, http.StatusBadRequest, map[string]string{"error": "invalid_client_metadata"})
			return
		}
		client["client_id"] = "a-client"
		writeJSON(out, http.StatusCreated, client)
	})
	mux.HandleFunc("GET /authorize", func(out http.ResponseWriter, r *http.Request) {
		http.Redirect(out, r, s.entraAddress(w, r.URL.Query()), http.StatusFound)
	})
	mux.HandleFunc("GET "+broker.CallbackPath, returnToClient)
}

// entraAddress returns the broker's request to Entra ID. The state holds the client's request.
func (s *foreignSite) entraAddress(w *world, fromClient url.Values) string {
	toEntra := url.Values{
		"client_id":             {directory.DefaultClientID},
		"response_type":         {"code"},
		"redirect_uri":          {w.public + broker.CallbackPath},
		"scope":                 {"openid profile offline_access User.Read"},
		"state":                 {base64.RawURLEncoding.EncodeToString([]byte(fromClient.Encode()))},
		"code_challenge":        {strings.Repeat("a", 43)},
		"code_challenge_method": {"S256"},
	}
	if s.upstream != nil {
		s.upstream(toEntra, fromClient)
	}
	return w.fake.URL + "/" + directory.DefaultTenantID + "/oauth2/v2.0/authorize?" + toEntra.Encode()
}

// returnToClient passes Entra ID's error on to the client.
func returnToClient(out http.ResponseWriter, r *http.Request) {
	encoded, err := base64.RawURLEncoding.DecodeString(r.FormValue("state"))
	if err != nil {
		http.Error(out, "unknown state", http.StatusBadRequest)
		return
	}
	fromClient, err := url.ParseQuery(string(encoded))
	if err != nil {
		http.Error(out, "unknown state", http.StatusBadRequest)
		return
	}
	answer := url.Values{"state": {fromClient.Get("state")}}
	for _, name := range []string{"error", "error_description"} {
		if value := r.FormValue(name); value != "" {
			answer.Set(name, value)
		}
	}
	http.Redirect(out, r, fromClient.Get("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
}

func writeJSON(out http.ResponseWriter, status int, value any) {
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(status)
	_ = json.NewEncoder(out).Encode(value)
}
