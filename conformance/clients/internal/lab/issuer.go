package lab

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
)

const (
	wellKnownOAuth  = "/.well-known/oauth-authorization-server"
	wellKnownOpenID = "/.well-known/openid-configuration"
)

// endpoints are the paths of an authorization server.
type endpoints struct{ authorize, token, register, device, revoke, keys string }

func (l *Lab) endpoints() endpoints {
	if l.script.DefaultEndpoints {
		return endpoints{"/authorize", "/token", "/register", "/device", "/revoke", "/keys"}
	}
	return endpoints{"/doors/in", "/doors/exchange", "/doors/enrol", "/doors/elsewhere", "/doors/out", "/doors/keys"}
}

// issuerAt returns the paths of the authorization server metadata.
func (l *Lab) issuerAt() []string {
	if l.script.IssuerAt != nil {
		return l.script.IssuerAt
	}
	return []string{wellKnownOAuth + l.script.IssuerPath}
}

// serveIssuer is an authorization server. It checks less than a real one, because the checks judge
// the record.
func (l *Lab) serveIssuer(party Party, w http.ResponseWriter, r *Request) {
	at := l.endpoints()
	isGet := r.Method == http.MethodGet
	isPost := r.Method == http.MethodPost
	switch {
	case slices.Contains(l.issuerAt(), r.Path) && isGet:
		write(w, http.StatusOK, l.Metadata(party, r.Path))
	case r.Path == at.keys && isGet:
		l.serveKeys(w)
	case r.Path == at.register && isPost:
		l.serveRegistration(party, w, r)
	case r.Path == at.authorize && (isGet || isPost):
		l.serveAuthorization(party, w, r)
	case r.Path == at.token && isPost:
		l.serveToken(party, w, r)
	case r.Path == at.revoke && isPost:
		l.serveRevocation(w, r)
	case r.Path == at.device && isPost && l.script.Device != nil:
		l.serveDevice(party, w, r)
	default:
		http.Error(w, "nothing here", http.StatusNotFound)
	}
}

// TokenEndpoint returns the token endpoint of a party.
func (l *Lab) TokenEndpoint(party Party) string { return l.Origin(party) + l.endpoints().token }

// AuthMethod returns the client authentication method that the authorization servers list.
func (l *Lab) AuthMethod() string {
	if l.script.AuthMethod == "" {
		return "none"
	}
	return l.script.AuthMethod
}

// Metadata returns the authorization server metadata of a party at a path: RFC 8414 section 2 or
// OpenID Connect Discovery 1.0 section 3.
func (l *Lab) Metadata(party Party, path string) map[string]any {
	at := l.endpoints()
	origin := l.Origin(party)
	document := map[string]any{
		"issuer":                                l.IssuerID(party),
		"authorization_endpoint":                origin + at.authorize,
		"token_endpoint":                        origin + at.token,
		"registration_endpoint":                 origin + at.register,
		"revocation_endpoint":                   origin + at.revoke,
		"response_types_supported":              []string{"code"},
		"grant_types_supported":                 []string{"authorization_code", "refresh_token"},
		"token_endpoint_auth_methods_supported": []string{l.AuthMethod()},
		"code_challenge_methods_supported":      []string{"S256"},
		// Without this member, only client_secret_basic would be supported there.
		"revocation_endpoint_auth_methods_supported": []string{l.AuthMethod()},
	}
	if l.AuthMethod() == "private_key_jwt" {
		document["token_endpoint_auth_signing_alg_values_supported"] = []string{"ES256"}
		document["revocation_endpoint_auth_signing_alg_values_supported"] = []string{"ES256"}
	}
	if strings.Contains(path, wellKnownOpenID) {
		document["jwks_uri"] = origin + at.keys
		document["subject_types_supported"] = []string{"public"}
		document["id_token_signing_alg_values_supported"] = []string{"RS256"}
	}
	if l.script.Revision == check.R20260728 {
		document["authorization_response_iss_parameter_supported"] = true
	}
	if l.script.Device != nil {
		document["device_authorization_endpoint"] = origin + at.device
		document["grant_types_supported"] = []string{"authorization_code", "refresh_token", grantDevice}
	}
	if l.acceptsDocuments() {
		document["client_id_metadata_document_supported"] = true
	}
	if l.script.Metadata != nil {
		l.script.Metadata(l, party, path, document)
	}
	return document
}

func (l *Lab) acceptsDocuments() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.documents
}

// serveRegistration is the registration endpoint (RFC 7591 section 3).
func (l *Lab) serveRegistration(party Party, w http.ResponseWriter, r *Request) {
	if r.JSON == nil {
		write(w, http.StatusBadRequest, map[string]any{
			"error":             "invalid_client_metadata",
			"error_description": "want a JSON object",
		})
		return
	}
	if redirects, found := r.JSON["redirect_uris"]; found && !isListOfTexts(redirects) {
		write(w, http.StatusBadRequest, map[string]any{
			"error":             "invalid_redirect_uri",
			"error_description": "want redirect_uris as an array of strings",
		})
		return
	}
	id, secret := l.ledger.register(party, l.AuthMethod())
	answer := map[string]any{"client_id": id, "token_endpoint_auth_method": l.AuthMethod()}
	for _, name := range []string{"redirect_uris", "grant_types", "response_types", "client_name", "application_type"} {
		if value, found := r.JSON[name]; found {
			answer[name] = value
		}
	}
	if secret != "" {
		answer["client_secret"] = secret
		answer["client_secret_expires_at"] = 0
	}
	status := http.StatusCreated
	if l.script.Registration != nil {
		if changed := l.script.Registration(l, r.JSON, answer); changed != 0 {
			status = changed
		}
	}
	write(w, status, answer)
}

func isListOfTexts(value any) bool {
	list, isList := value.([]any)
	isText := func(element any) bool { _, is := element.(string); return is }
	return isList && !slices.ContainsFunc(list, func(element any) bool { return !isText(element) })
}

// serveAuthorization is the authorization endpoint. The person approves at once. All answers but
// the last go to the redirect URI before the browser is redirected there with the last.
func (l *Lab) serveAuthorization(party Party, w http.ResponseWriter, r *Request) {
	params := r.Query
	if r.Form != nil {
		params = r.Form
	}
	redirect, err := url.Parse(params.Get("redirect_uri"))
	if err != nil || redirect.Scheme != "http" && redirect.Scheme != "https" || redirect.Host == "" {
		http.Error(w, "want a redirect_uri", http.StatusBadRequest)
		return
	}
	a := &Authorization{Party: party, Issuer: l.IssuerID(party), Params: params, lab: l}
	var answers []Answer
	if l.script.Answers != nil {
		answers = l.script.Answers(l, a)
	} else {
		answers = []Answer{a.Right()}
	}
	last := answers[len(answers)-1]
	for _, early := range answers[:len(answers)-1] {
		if l.deliver(w.(*statusWriter).context(), redirect, early) {
			continue
		}
		// The redirect URI has no listener, so the client reads the redirect itself. Give it the
		// early answer, if a redirect can carry that.
		if early.Path == "" && early.Method == "" && early.Host == "" {
			last = early
			break
		}
	}
	w.Header().Set("Location", withParams(redirect, last.Params).String())
	w.WriteHeader(http.StatusFound)
}
