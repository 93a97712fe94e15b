package broker

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"mcpentra/server/identity"
	"mcpentra/server/token"
)

// introspectionPath is the introspection endpoint (RFC 7662).
const introspectionPath = "/introspect"

// introspection is the answer about a token (RFC 7662 section 2.2). An inactive token has no other
// member, so the answer does not say why.
type introspection struct {
	Active    bool   `json:"active"`
	Scope     string `json:"scope,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	Username  string `json:"username,omitempty"`
	TokenType string `json:"token_type,omitempty"`
	Expiry    int64  `json:"exp,omitempty"`
	Issued    int64  `json:"iat,omitempty"`
	Subject   string `json:"sub,omitempty"`
	Audience  string `json:"aud,omitempty"`
	Issuer    string `json:"iss,omitempty"`
	ID        string `json:"jti,omitempty"`
	TenantID  string `json:"tid,omitempty"`
	ObjectID  string `json:"oid,omitempty"`
}

// handleIntrospect tells a resource server whether an access token is good now (RFC 7662). It needs
// a client that authenticates. A client learns about its own tokens, and a client that the operator
// registered for introspection about the tokens of its resources. A refresh token is never active
// here: a resource server that got one must not accept it.
func (b *Broker) handleIntrospect(w http.ResponseWriter, r *http.Request) {
	form, problem := readForm(w, r)
	if problem != nil {
		b.refuse(w, r, problem)
		return
	}
	found, problem := b.authenticate(r, form, false)
	if problem == nil && found.AuthMethod == authNone {
		problem = unknownClient(true).because("introspection needs a client that authenticates").
			saw("client", found.ID).allowedBy(settingClientFile)
	}
	if problem != nil {
		b.refuse(w, r, problem)
		return
	}
	presented := form.Get("token")
	if presented == "" {
		b.refuse(w, r, badRequest("invalid_request", "token is missing").saw("client", found.ID))
		return
	}
	known, err := b.verified.Verify(r.Context(), presented)
	caller, err := b.readCaller(r.Context(), known, err)
	var invalid *token.InvalidError
	switch {
	case errors.As(err, &invalid):
		writeJSON(w, http.StatusOK, introspection{})
	case err != nil:
		b.refuse(w, r, b.storeProblem(r.Context(), err))
	case caller.ClientID != found.ID && !mayIntrospect(found, known.audience):
		writeJSON(w, http.StatusOK, introspection{})
	default:
		writeJSON(w, http.StatusOK, b.introspection(caller, known.audience))
	}
}

// mayIntrospect reports whether a resource server may learn about the tokens of a resource. It
// learns nothing about the tokens of resources that are not its own (RFC 7662 section 2.2).
func mayIntrospect(found *client, audience string) bool {
	return found.introspects && slices.Contains(found.ownResources, audience)
}

func (b *Broker) introspection(caller *identity.Caller, audience string) introspection {
	told := introspection{
		Active:    true,
		Scope:     strings.Join(caller.Scopes, " "),
		ClientID:  caller.ClientID,
		Username:  caller.Username,
		TokenType: "Bearer",
		Expiry:    caller.Expiry.Unix(),
		Issued:    caller.Issued.Unix(),
		Subject:   subject(caller.Principal),
		Audience:  audience,
		Issuer:    b.config.Issuer,
		ID:        caller.TokenID,
		TenantID:  caller.TenantID,
		ObjectID:  caller.ObjectID,
	}
	if caller.Kind == identity.App {
		told.Subject = caller.ClientID
		told.ObjectID = "" // Entra does not know the client
	}
	return told
}
