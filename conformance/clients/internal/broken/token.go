package broken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// machine gets a token without a person.
func (r *attempt) machine(ctx context.Context, issuer *issuerDocument, resource string, scopes []string) error {
	if r.has(MachineRegisters) {
		if _, err := r.register(ctx, issuer, "http://127.0.0.1/callback", "none"); err != nil {
			return err
		}
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if !r.has(MachineNamesNoResource) {
		form.Set("resource", resource)
	}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	client := identity{id: r.task.ClientID, secret: r.task.ClientSecret, method: "client_secret_basic"}
	if r.has(MachineHasNoSecret) {
		client.method = "none"
	}
	if r.task.ClientKey != "" {
		client.method = "private_key_jwt"
		assertion, err := r.assertion(issuer.Issuer)
		if err != nil {
			return err
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	}
	r.grant = &grant{scopes: scopes, issuer: issuer, client: client, resource: resource}
	return r.redeem(ctx, issuer, client, form)
}

// refreshAlone refreshes, unless another run has just refreshed.
func (r *attempt) refreshAlone(ctx context.Context) error {
	if r.has(RefreshesAtOnce) {
		return r.refresh(ctx)
	}
	r.memory.renewing.Lock()
	defer r.memory.renewing.Unlock()
	if newer := r.storedGrant(r.grantKey()); newer != nil && newer.access != r.grant.access {
		r.grant = newer
		return nil
	}
	return r.refresh(ctx)
}

// refresh gets new tokens with the refresh token.
func (r *attempt) refresh(ctx context.Context) error {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.grant.refresh}}
	if r.grant.resource != "" && !r.has(LeavesOutResourceRefresh) {
		form.Set("resource", r.grant.resource)
	}
	return r.redeem(ctx, r.grant.issuer, r.grant.client, form)
}

// redeem sends a token request, and stores the tokens.
func (r *attempt) redeem(ctx context.Context, issuer *issuerDocument, client identity, form url.Values) error {
	err := r.requestToken(ctx, issuer, client, form)
	var refused *refusedError
	if errors.As(err, &refused) && refused.code == "invalid_target" && r.has(DropsRefusedResource) {
		form.Del("resource")
		err = r.requestToken(ctx, issuer, client, form)
	}
	return err
}

type refusedError struct{ code string }

func (e *refusedError) Error() string { return "the token endpoint refuses: " + e.code }

// authenticate adds the client credentials to a request.
func (r *attempt) authenticate(client identity, header http.Header, form url.Values) {
	method := client.method
	if method != "none" && r.has(AlwaysPostsSecret) {
		method = "client_secret_post"
	}
	switch method {
	case "client_secret_basic":
		request := &http.Request{Header: header}
		request.SetBasicAuth(url.QueryEscape(client.id), url.QueryEscape(client.secret))
		if r.has(SendsSecretTwice) {
			form.Set("client_secret", client.secret)
		}
	case "client_secret_post":
		form.Set("client_secret", client.secret)
		fallthrough
	default:
		form.Set("client_id", client.id)
	}
}

// requestToken sends a token request once.
func (r *attempt) requestToken(ctx context.Context, issuer *issuerDocument, client identity, form url.Values) error {
	header := http.Header{}
	r.authenticate(client, header, form)
	if !r.safe(issuer.Token) {
		return fmt.Errorf("want a token endpoint on https or loopback, got %q", issuer.Token)
	}
	response, body, err := r.post(ctx, issuer.Token, formType, header, []byte(form.Encode()))
	if err != nil {
		return err
	}
	var answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		ID      string `json:"id_token"`
		Type    string `json:"token_type"`
		Expires any    `json:"expires_in"`
		Error   string `json:"error"`
	}
	err = json.Unmarshal(body, &answer)
	takes := answer.Access != "" && r.has(TakesTokenWithError)
	switch {
	case response.StatusCode != http.StatusOK && answer.Error == "":
		return statusError(response.StatusCode)
	case response.StatusCode != http.StatusOK && !takes:
		return &refusedError{answer.Error}
	case err != nil:
		return err
	case answer.Error != "" && !takes:
		return &refusedError{answer.Error}
	case strings.Contains(string(body), `"x_`) && r.has(RefusesUnknownInAnswers):
		return errors.New("want a token response without unknown members")
	case answer.Type != "Bearer" && r.has(WantsOneTokenType):
		return errors.New("want the token_type Bearer")
	case len(answer.Access) > 1000 && r.has(ExpectsShortTokens):
		return errors.New("want a token of at most 1000 bytes")
	}
	if answer.ID != "" && r.has(TakesIDToken) {
		answer.Access = answer.ID
	}
	usable := strings.EqualFold(answer.Type, "Bearer") && answer.Access != "" &&
		!strings.ContainsAny(answer.Access, "\r\n")
	if !usable && !r.has(TakesAnyToken) {
		return errors.New("want a usable Bearer token")
	}
	r.grant.access = strings.NewReplacer("\r", "", "\n", "").Replace(answer.Access)
	if answer.Refresh != "" && (r.grant.refresh == "" || !r.has(KeepsOldRefresh)) {
		r.grant.refresh = answer.Refresh
	}
	if r.has(PrintsTokens) {
		fmt.Fprintf(r.task.Output, "got the token %s\n", r.grant.access)
	}
	if err := r.storeGrant(); err != nil {
		return err
	}
	if seconds, is := answer.Expires.(float64); r.has(RefreshesForever) && (!is || seconds < 10) &&
		r.signIns < manyTimes {
		r.signIns++
		return r.refresh(ctx)
	}
	return nil
}

// post sends a form or a registration. It follows no redirect.
func (r *attempt) post(
	ctx context.Context, address, kind string, header http.Header, body []byte,
) (*http.Response, []byte, error) {
	if header == nil {
		header = http.Header{}
	}
	if !r.safe(address) {
		return nil, nil, fmt.Errorf("want a URL on https or loopback, got %q", address)
	}
	header.Set("Content-Type", kind)
	header.Set("Accept", "application/json")
	ctx, cancel := r.patience(ctx)
	defer cancel()
	response, text, err := r.do(ctx, http.MethodPost, address, header, body)
	if err == nil && response.StatusCode/100 == 3 && r.has(FollowsTokenRedirect) {
		return r.do(ctx, http.MethodPost, response.Header.Get("Location"), header, body)
	}
	return response, text, err
}
