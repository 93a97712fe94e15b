package bench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"mcpentra/conformance/check"
)

// An Authorization is one way through the authorization endpoint.
type Authorization struct {
	Client   *Client
	Browser  *Browser // nil for a real person
	Query    url.Values
	Verifier string
	// Landed is the address of a client to which the browser was sent, or nil.
	Landed *url.URL
	// Response are the parameters of the authorization response. They are empty if Landed is nil.
	Response url.Values
}

// Code returns the code of the response, or "".
func (a *Authorization) Code() string { return a.Response.Get("code") }

// String describes the end of the way.
func (a *Authorization) String() string {
	switch {
	case a.Landed == nil && a.Browser != nil:
		return fmt.Sprintf("a page with status %d", a.Browser.Last().Status)
	case a.Landed == nil:
		return "a page"
	case a.Code() != "":
		return "a code at " + a.at()
	case a.Response.Get("error") != "":
		return "error=" + a.Response.Get("error") + " at " + a.at()
	}
	return "a redirect to " + a.at()
}

// status returns the status of the last page, or 0 if it is not known.
func (a *Authorization) status() int {
	if a.Landed != nil || a.Browser == nil {
		return 0
	}
	return a.Browser.Last().Status
}

func (a *Authorization) at() string {
	address := *a.Landed
	address.RawQuery = ""
	address.Fragment = ""
	return address.String()
}

// A Change changes the query of an authorization request, or a form.
type Change func(values url.Values)

// Set returns a change that sets a parameter.
func Set(name string, values ...string) Change {
	return func(query url.Values) { query[name] = values }
}

// Without returns a change that removes parameters.
func Without(names ...string) Change {
	return func(query url.Values) {
		for _, name := range names {
			query.Del(name)
		}
	}
}

// A Visitor is how a person goes through the authorization.
type Visitor struct {
	// Browser keeps cookies from earlier visits. Nil means a new one.
	Browser *Browser
	// Decline means that the person declines.
	Decline bool
}

// Authorize sends a person with a new browser through an authorization request with changes.
func (p *Probe) Authorize(ctx context.Context, client *Client, changes ...Change) (*Authorization, error) {
	return p.AuthorizeAs(ctx, Visitor{}, client, changes...)
}

// AuthorizeAs is Authorize with a visitor.
func (p *Probe) AuthorizeAs(
	ctx context.Context, visitor Visitor, client *Client, changes ...Change,
) (*Authorization, error) {
	address, made, err := p.AuthorizationURL(ctx, client, changes...)
	if err != nil {
		return nil, err
	}
	redirect := made.Query.Get("redirect_uri")
	if p.target.Person == nil {
		made.Landed, err = p.openReal(ctx, address, redirect)
	} else {
		made.Browser = visitor.Browser
		if made.Browser == nil {
			made.Browser = p.NewBrowser()
		}
		made.Landed, err = made.Browser.Visit(ctx, address, visitor.Decline, redirect, client.RedirectURI)
	}
	if err != nil {
		return nil, err
	}
	made.Response = url.Values{}
	if made.Landed != nil {
		made.Response = made.Landed.Query()
		p.secrets.Add(made.Code())
	}
	return made, nil
}

// AuthorizationURL returns the address of an authorization request with changes. It has a state,
// PKCE with S256, and the scopes and the resource of the target.
func (p *Probe) AuthorizationURL(
	ctx context.Context, client *Client, changes ...Change,
) (string, *Authorization, error) {
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return "", nil, err
	}
	if metadata.AuthorizationEndpoint == "" {
		return "", nil, &check.NotApplicable{Reason: "the metadata names no authorization endpoint"}
	}
	address, err := url.Parse(metadata.AuthorizationEndpoint)
	if err != nil {
		return "", nil, &check.CannotJudge{Reason: "the authorization endpoint is not a URL", Err: err}
	}
	verifier := oauth2.GenerateVerifier()
	p.secrets.Add(verifier)
	query := url.Values{
		"response_type":         {"code"},
		"client_id":             {client.ID},
		"redirect_uri":          {client.RedirectURI},
		"state":                 {rand.Text() + rand.Text()[:8]}, // some servers want 32 characters
		"code_challenge":        {oauth2.S256ChallengeFromVerifier(verifier)},
		"code_challenge_method": {"S256"},
	}
	if len(p.target.Scopes) > 0 {
		query.Set("scope", strings.Join(p.target.Scopes, " "))
	}
	if p.target.Resource != "" {
		query.Set("resource", p.target.Resource)
	}
	for _, change := range changes {
		change(query)
	}
	kept := address.Query()
	for name, values := range query {
		kept[name] = values
	}
	address.RawQuery = kept.Encode()
	return address.String(), &Authorization{Client: client, Query: query, Verifier: verifier}, nil
}

// Approved sends a person through a good request, and returns the authorization with its code. The
// check cannot be done without a code.
func (p *Probe) Approved(ctx context.Context, client *Client, changes ...Change) (*Authorization, error) {
	return p.ApprovedAs(ctx, Visitor{}, client, changes...)
}

// ApprovedAs is Approved with a visitor.
func (p *Probe) ApprovedAs(
	ctx context.Context, visitor Visitor, client *Client, changes ...Change,
) (*Authorization, error) {
	made, err := p.AuthorizeAs(ctx, visitor, client, changes...)
	if err != nil {
		return nil, err
	}
	if made.Code() == "" {
		return nil, made.CannotJudge("the control failed: a good authorization request ends with " + made.String())
	}
	return made, nil
}

// Tokens are the answer of the token endpoint (RFC 6749 section 5.1).
type Tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Type    string `json:"token_type"`
	Scope   string `json:"scope"`
}

// Token sends a request to the token endpoint with a client's credentials. The tokens are nil if
// the server issues none.
func (p *Probe) Token(ctx context.Context, client *Client, form url.Values) (*Answer, *Tokens, error) {
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return nil, nil, err
	}
	if metadata.TokenEndpoint == "" {
		return nil, nil, &check.Skipped{
			Of:     "authorization-server/metadata/required-members",
			Reason: "the metadata names no token endpoint",
		}
	}
	return p.SendToken(ctx, p.Authenticated(metadata.TokenEndpoint, client, form))
}

// SendToken sends a request to the token endpoint as it is.
func (p *Probe) SendToken(ctx context.Context, request Request) (*Answer, *Tokens, error) {
	answer, err := p.Send(ctx, request)
	if err != nil {
		return nil, nil, err
	}
	if answer.IsBusy() {
		return nil, nil, unknownStatus(answer)
	}
	tokens := &Tokens{}
	if err := json.Unmarshal(answer.Body, tokens); err != nil || answer.Status != http.StatusOK || tokens.Access == "" {
		return answer, nil, nil
	}
	p.secrets.Add(tokens.Access, tokens.Refresh)
	return answer, tokens, nil
}

// CodeForm returns the form that redeems the code of an authorization, with changes.
func (a *Authorization) CodeForm(changes ...Change) url.Values {
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {a.Code()},
		"redirect_uri":  {a.Query.Get("redirect_uri")},
		"code_verifier": {a.Verifier},
	}
	if resource := a.Query["resource"]; len(resource) > 0 {
		form["resource"] = resource
	}
	for _, change := range changes {
		change(form)
	}
	return form
}

// Redeem redeems the code of an authorization. The tokens are nil if the server issues none.
func (p *Probe) Redeem(ctx context.Context, a *Authorization, changes ...Change) (*Answer, *Tokens, error) {
	return p.Token(ctx, a.Client, a.CodeForm(changes...))
}

// Redeemed redeems the code of an authorization. The check cannot be done without tokens.
func (p *Probe) Redeemed(ctx context.Context, a *Authorization, changes ...Change) (*Tokens, error) {
	answer, tokens, err := p.Redeem(ctx, a, changes...)
	if err == nil && tokens == nil {
		err = &check.CannotJudge{Reason: "the control failed: a good code is answered with " + answer.String()}
	}
	return tokens, err
}

// IssuesForResource reports whether the tokens of the checks are for a resource only, and not for
// OpenID Connect too.
func (p *Probe) IssuesForResource() bool {
	return p.target.Resource != "" && !slices.Contains(p.target.Scopes, "openid")
}

// Granted takes a client through the whole flow, and returns its tokens.
func (p *Probe) Granted(ctx context.Context, client *Client, changes ...Change) (*Tokens, error) {
	made, err := p.Approved(ctx, client, changes...)
	if err != nil {
		return nil, err
	}
	return p.Redeemed(ctx, made)
}

// WithRefresh is Granted. The check does not apply if there is no refresh token.
func (p *Probe) WithRefresh(ctx context.Context, client *Client, changes ...Change) (*Tokens, error) {
	tokens, err := p.Granted(ctx, client, changes...)
	if err == nil && tokens.Refresh == "" {
		err = &check.NotApplicable{Reason: "the server issues no refresh token"}
	}
	return tokens, err
}

// Refresh redeems a refresh token. The tokens are nil if the server issues none.
func (p *Probe) Refresh(
	ctx context.Context, client *Client, refresh string, changes ...Change,
) (*Answer, *Tokens, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}
	for _, change := range changes {
		change(form)
	}
	return p.Token(ctx, client, form)
}
