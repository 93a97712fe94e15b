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

// The grants of Enterprise-Managed Authorization: at the identity provider, and at the MCP server's
// authorization server.
const (
	grantExchange  = "urn:ietf:params:oauth:grant-type:token-exchange"
	grantAssertion = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

type endpoints struct{ authorize, token, register, device, revoke string }

func (l *Lab) endpoints() endpoints {
	if l.script.DefaultEndpoints {
		return endpoints{"/authorize", "/token", "/register", "/device", "/revoke"}
	}
	return endpoints{"/doors/in", "/doors/exchange", "/doors/enrol", "/doors/elsewhere", "/doors/out"}
}

func (l *Lab) issuerAt() []string {
	if l.script.IssuerAt != nil {
		return l.script.IssuerAt
	}
	return []string{wellKnownOAuth + l.script.IssuerPath}
}

// serveIssuer is an authorization server. It believes its clients more than it should: what they do
// is judged by the record.
func (l *Lab) serveIssuer(party Party, w http.ResponseWriter, r *Request) {
	at := l.endpoints()
	switch {
	case slices.Contains(l.issuerAt(), r.Path) && r.Method == http.MethodGet:
		write(w, http.StatusOK, l.metadata(party, r.Path))
	case r.Path == at.register && r.Method == http.MethodPost:
		l.serveRegistration(party, w, r)
	case r.Path == at.authorize && (r.Method == http.MethodGet || r.Method == http.MethodPost):
		l.serveAuthorization(party, w, r)
	case r.Path == at.token && r.Method == http.MethodPost:
		l.serveToken(party, w, r)
	case r.Path == at.revoke && r.Method == http.MethodPost:
		l.serveRevocation(w, r)
	case r.Path == at.device && r.Method == http.MethodPost && l.script.Device != nil:
		l.serveDevice(party, w, r)
	default:
		http.Error(w, "nothing here", http.StatusNotFound)
	}
}

// TokenEndpoint is that of a party.
func (l *Lab) TokenEndpoint(party Party) string { return l.Origin(party) + l.endpoints().token }

func (l *Lab) metadata(party Party, path string) map[string]any {
	at := l.endpoints()
	origin := l.Origin(party)
	methods := []string{"none"}
	if l.script.Secrets != "" {
		methods = []string{l.script.Secrets}
	}
	document := map[string]any{
		"issuer":                                l.IssuerID(party),
		"authorization_endpoint":                origin + at.authorize,
		"token_endpoint":                        origin + at.token,
		"registration_endpoint":                 origin + at.register,
		"revocation_endpoint":                   origin + at.revoke,
		"response_types_supported":              []string{"code"},
		"grant_types_supported":                 []string{"authorization_code", "refresh_token"},
		"token_endpoint_auth_methods_supported": methods,
		"code_challenge_methods_supported":      []string{"S256"},
	}
	if l.script.Revision == check.R20260728 {
		document["authorization_response_iss_parameter_supported"] = true
	}
	if l.script.Device != nil {
		document["device_authorization_endpoint"] = origin + at.device
		document["grant_types_supported"] = []string{"authorization_code", "refresh_token", grantDevice}
	}
	if l.script.Metadata != nil {
		l.script.Metadata(l, party, path, document)
	}
	return document
}

func (l *Lab) serveRegistration(party Party, w http.ResponseWriter, r *Request) {
	if r.JSON == nil {
		write(
			w,
			http.StatusBadRequest,
			map[string]any{"error": "invalid_client_metadata", "error_description": "want a JSON object"},
		)
		return
	}
	method := l.script.Secrets
	if method == "" {
		method = "none"
	}
	id, secret := l.ledger.register(party, method)
	answer := map[string]any{"client_id": id, "token_endpoint_auth_method": method}
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
		// Nobody waits there: the client reads what its browser is sent to, and gets what matters,
		// if a browser can be sent there with it.
		if early.Path == "" && early.Method == "" {
			last = early
			break
		}
	}
	query := redirect.Query()
	for name, values := range last.Params {
		query[name] = values
	}
	redirect.RawQuery = query.Encode()
	w.Header().Set("Location", redirect.String())
	w.WriteHeader(http.StatusFound)
}

func (l *Lab) serveToken(party Party, w http.ResponseWriter, r *Request) {
	var from issuance
	found := true
	switch r.Form.Get("grant_type") {
	case "authorization_code":
		from, found = l.ledger.spend(l.ledger.codes, r.Form.Get("code"))
	case "refresh_token":
		from, found = l.ledger.spend(l.ledger.renewal, r.Form.Get("refresh_token"))
	case grantExchange:
		from = issuance{
			Lab:      l,
			Party:    party,
			ClientID: r.Form.Get("client_id"),
			Resource: r.Form.Get("resource"),
			Scopes:   strings.Fields(r.Form.Get("scope")),
		}
		write(w, http.StatusOK, map[string]any{
			"access_token":      l.ledger.jag(from),
			"issued_token_type": "urn:ietf:params:oauth:token-type:id-jag",
			"token_type":        "N_A",
			"expires_in":        300,
		})
		return
	case grantAssertion:
		from, found = l.ledger.spend(l.ledger.jags, r.Form.Get("assertion"))
	case grantDevice:
		issued, refusal := l.question(r.Form.Get("device_code"))
		if refusal != "" {
			write(w, http.StatusBadRequest, map[string]any{"error": refusal})
			return
		}
		from = issued
	case "client_credentials":
		from = issuance{
			Lab:      l,
			ClientID: r.Form.Get("client_id"),
			Resource: r.Form.Get("resource"),
			Scopes:   strings.Fields(r.Form.Get("scope")),
		}
	default:
		write(w, http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type"})
		return
	}
	if !found {
		write(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	from.Party = party
	access, refresh := l.ledger.access(from, l.script.Refresh)
	answer := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 3600}
	if refresh != "" {
		answer["refresh_token"] = refresh
	}
	status := http.StatusOK
	if l.script.Token != nil {
		if changed := l.script.Token(l, party, r.Form, answer); changed != 0 {
			status = changed
		}
		if text, is := answer["access_token"].(string); is {
			l.ledger.rename(access, text)
		}
	}
	write(w, status, answer)
}
