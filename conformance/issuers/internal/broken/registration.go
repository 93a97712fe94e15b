package broken

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// A client has registered, or has a metadata document.
type client struct {
	id     string
	name   string
	secret string // empty for a public client
	method string
	logo   string

	keys      []jose.JSONWebKey // of a client that authenticates with assertions
	algorithm string            // of its assertions; empty means any

	isDocument bool // has a metadata document
	redirects  []string
}

// authMethods are the methods with which clients authenticate.
var authMethods = []string{"none", "client_secret_basic", "client_secret_post", "private_key_jwt"}

const (
	maxRegistration = 64 << 10 // bytes
	maxRedirects    = 20
)

// serveRegistration registers a client (RFC 7591).
func (s *Issuer) serveRegistration(w http.ResponseWriter, r *http.Request) {
	refused := http.StatusBadRequest
	if s.has(RefusesRegistrationsOddly) {
		refused = http.StatusTeapot
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		s.refuse(w, http.StatusUnsupportedMediaType, "invalid_client_metadata")
		return
	}
	var members map[string]json.RawMessage
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRegistration)).Decode(&members); err != nil {
		if s.has(BreaksOnRegistrations) {
			refused = http.StatusInternalServerError
		}
		if s.has(RefusesBrokenJSONInHTML) {
			s.show(w, refused, "<p>This is not JSON.</p>")
			return
		}
		s.refuse(w, refused, "invalid_client_metadata")
		return
	}
	asked, ok := s.readClient(members)
	if !ok {
		s.refuse(w, refused, "invalid_client_metadata")
		return
	}
	if !slices.ContainsFunc(asked.redirects, s.mayRegister) {
		s.refuse(w, refused, "invalid_redirect_uri")
		return
	}
	asked.redirects = slices.DeleteFunc(asked.redirects, func(uri string) bool { return !s.mayRegister(uri) })
	s.clients[asked.id] = asked
	answer := map[string]any{
		"client_id":                  asked.id,
		"client_name":                asked.name,
		"redirect_uris":              asked.redirects,
		"grant_types":                []string{"authorization_code", "refresh_token"},
		"response_types":             []string{"code"},
		"token_endpoint_auth_method": asked.method,
	}
	if asked.algorithm != "" {
		answer["token_endpoint_auth_signing_alg"] = asked.algorithm
	}
	if asked.secret != "" || s.has(GivesEveryClientSecret) {
		answer["client_secret"] = asked.secret
		answer["client_secret_expires_at"] = 0
	}
	if s.has(GivesEveryClientSecret) && asked.secret == "" {
		answer["client_secret"] = secret()
	}
	if s.has(OmitsSecretExpiry) {
		delete(answer, "client_secret_expires_at")
	}
	if s.has(CachesSecrets) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		writeJSON(w, answer)
		return
	}
	status := http.StatusCreated
	if s.has(AnswersRegistrationsWith202) {
		status = http.StatusAccepted
	}
	s.write(w, status, answer)
}

// knownMembers are the members of a registration that the server knows.
var knownMembers = []string{
	"client_name", "redirect_uris", "grant_types", "response_types", "token_endpoint_auth_method",
	"application_type", "scope", "logo_uri", "client_uri",
}

// readClient reads the members of a registration or of a client's metadata document.
func (s *Issuer) readClient(members map[string]json.RawMessage) (*client, bool) {
	for name := range members {
		if s.has(RefusesUnknownMembers) && !slices.Contains(knownMembers, name) {
			return nil, false
		}
	}
	made := &client{id: secret(), method: "client_secret_basic"}
	read := func(name string, into any) bool {
		return members[name] == nil || json.Unmarshal(members[name], into) == nil
	}
	isReadable := read("client_name", &made.name) && read("redirect_uris", &made.redirects) &&
		read("token_endpoint_auth_method", &made.method) && read("logo_uri", &made.logo)
	if !isReadable || !slices.Contains(authMethods, made.method) || len(made.redirects) > maxRedirects {
		return nil, false
	}
	if s.has(AdoptsClientIDs) {
		_ = read("client_id", &made.id)
	}
	switch made.method {
	case "none":
	case "private_key_jwt":
		var set jose.JSONWebKeySet
		isReadable = read("jwks", &set) && read("token_endpoint_auth_signing_alg", &made.algorithm)
		made.keys = set.Keys
		return made, isReadable && len(set.Keys) > 0
	default:
		made.secret = secret()
	}
	return made, true
}

// mayRegister reports whether a redirect URI may be registered: https, or http on loopback.
func (s *Issuer) mayRegister(uri string) bool {
	if strings.ContainsAny(uri, "\t\n") {
		return s.has(RegistersSplitScripts)
	}
	parsed, err := url.Parse(uri)
	if err != nil || strings.ContainsAny(uri, "*\\ ") || parsed.User != nil {
		return false
	}
	for _, name := range []string{"code", "state", "iss", "error"} {
		if parsed.Query().Has(name) && !s.has(RegistersResponseParameters) {
			return false
		}
	}
	isScript := slices.Contains([]string{"javascript", "data", "vbscript", "file"}, strings.ToLower(parsed.Scheme))
	switch {
	case isScript:
		return s.has(RegistersScripts)
	case strings.Contains(uri, "#"):
		return s.has(RegistersFragments)
	case parsed.Scheme == "https" && parsed.Host != "":
		return !strings.HasPrefix(uri, s.URL)
	case parsed.Scheme == "http":
		return isLoopback(parsed) || s.has(RegistersPlainHTTP)
	}
	return false
}

func isLoopback(address *url.URL) bool {
	return slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, address.Hostname())
}
