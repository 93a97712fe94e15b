package broken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// identity returns the client ID at an authorization server. It registers if needed.
func (r *attempt) identity(ctx context.Context, issuer *issuerDocument, redirect string) (identity, error) {
	method := "none"
	if len(issuer.Auth) > 0 {
		method = issuer.Auth[0]
	}
	if r.task.ClientID != "" && !r.has(RegistersAnyway) {
		if r.configured == "" {
			r.configured = issuer.Issuer
		}
		if r.configured != issuer.Issuer && !r.has(SendsConfiguredID) {
			const text = "want the issuer %s of the configured client ID, got %s"
			return identity{}, fmt.Errorf(text, r.configured, issuer.Issuer)
		}
		return identity{id: r.task.ClientID, secret: r.task.ClientSecret, method: method}, nil
	}
	document := documentURL
	if r.has(HasDocumentAtRoot) {
		document = documentAtRoot
	}
	if r.has(OnlyConfigured) {
		return identity{}, errors.New("want a configured client ID")
	}
	if issuer.Documents != nil && (*issuer.Documents || r.has(UsesDocumentDeclined)) && !r.has(PrefersRegistration) {
		return identity{id: document, method: "none"}, nil
	}
	if r.has(OnlyDocumented) {
		return identity{}, errors.New("want an authorization server that accepts client documents")
	}
	key := issuer.Issuer
	if r.has(KeepsClientID) {
		key = ""
	}
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	if known, found := r.memory.clients[key]; found && known.redirect == redirect || found && r.has(KeepsClientID) {
		return known, nil
	}
	registered, err := r.register(ctx, issuer, redirect, method)
	if err == nil {
		r.memory.clients[key] = registered
	}
	return registered, err
}

func (r *attempt) register(ctx context.Context, issuer *issuerDocument, redirect, method string) (identity, error) {
	asked := map[string]any{
		"client_name":                "broken client",
		"redirect_uris":              []string{redirect},
		"grant_types":                []string{"authorization_code", "refresh_token"},
		"response_types":             []string{"code"},
		"token_endpoint_auth_method": method,
		"application_type":           "native",
	}
	switch {
	case r.has(RegistersNoRedirect):
		delete(asked, "redirect_uris")
	case r.has(RegistersAnotherRedirect):
		asked["redirect_uris"] = []string{redirect + "/other"}
	case r.has(SaysNoApplicationType):
		delete(asked, "application_type")
	case r.has(SaysWeb):
		asked["application_type"] = "web"
	case r.has(RegistersFirstScopes):
		asked["scope"] = strings.Join(r.first, " ")
	case r.has(ListsNoRefreshGrant):
		asked["grant_types"] = []string{"authorization_code"}
	}
	text, err := json.Marshal(asked)
	if err != nil {
		return identity{}, err
	}
	if r.has(TriesDefaultEndpoints) {
		_, _, _ = r.post(ctx, origin(issuer.Issuer)+"/register", "application/json", nil, text)
	}
	response, body, err := r.post(ctx, issuer.Registration, "application/json", nil, text)
	if err != nil {
		return identity{}, err
	}
	var answer struct {
		ID          any    `json:"client_id"`
		Secret      string `json:"client_secret"`
		Expires     int64  `json:"client_secret_expires_at"`
		Method      string `json:"token_endpoint_auth_method"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(body, &answer); err != nil && response.StatusCode == http.StatusCreated {
		return identity{}, err
	}
	if response.StatusCode != http.StatusCreated {
		switch {
		case r.has(GoesOnUnregistered):
			fmt.Fprintf(r.task.Output, "registration refused: %s\n", answer.Error)
			return identity{id: "broken client", method: "none", redirect: redirect}, nil
		case r.has(HidesRejection):
			return identity{}, errors.New("something went wrong")
		}
		return identity{}, fmt.Errorf("registration refused: %s (%s)", answer.Error, answer.Description)
	}
	id, is := answer.ID.(string)
	if r.has(TakesAnyID) {
		id = fmt.Sprint(answer.ID)
		is = true
	}
	if !is || id == "" || strings.ContainsAny(id, "\r\n") && !r.has(TakesAnyID) {
		return identity{}, errors.New("registration: want a string as client_id")
	}
	isExpired := answer.Expires != 0 && time.Unix(answer.Expires, 0).Before(time.Now())
	if isExpired && !r.has(KeepsExpiredSecret) {
		return identity{}, errors.New("registration: want a secret that has not expired")
	}
	return identity{id: id, secret: answer.Secret, method: answer.Method, redirect: redirect}, nil
}

// registerEverywhere registers at each authorization server.
func (r *attempt) registerEverywhere(ctx context.Context, servers []string) {
	for _, server := range servers[1:] {
		if issuer, err := r.issuer(ctx, server); err == nil {
			_, _ = r.register(ctx, issuer, "http://127.0.0.1/callback", "none")
		}
	}
}

func origin(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return parsed.Scheme + "://" + parsed.Host
}
