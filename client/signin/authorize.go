package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"mcpentra/client/discovery"
	"mcpentra/client/tokenrequest"
)

// A Browser opens an authorization page for a person. It may block as long as the browser runs. Its
// error says that there is no point in waiting, unless it is a *NotOpenedError.
type Browser func(ctx context.Context, address string) error

// A Request is one authorization with a person.
type Request struct {
	Issuer      *discovery.Issuer
	Client      tokenrequest.Client
	RedirectURI string
	Resource    string
	Scopes      []string
}

// An Answer is a code that belongs to the request, and what it has to be redeemed with.
type Answer struct {
	Code, Verifier string
	// Issuer is what the answer says it comes from (RFC 9207), empty when it does not say.
	Issuer string
}

// A Pending is an authorization whose page can be opened.
type Pending struct {
	URL   string
	State string

	request  Request
	verifier string
}

// Begin makes the address of the authorization page, with fresh state and PKCE (OAuth 2.1 section
// 4.1.1, RFC 8707 section 2).
func Begin(request Request) (*Pending, error) {
	address, err := url.Parse(request.Issuer.AuthorizationEndpoint)
	if err != nil {
		return nil, fmt.Errorf("authorization endpoint: %w", err)
	}
	p := &Pending{State: rand.Text(), request: request, verifier: oauth2.GenerateVerifier()}
	query := address.Query()
	query.Set("response_type", "code")
	query.Set("client_id", request.Client.ID)
	query.Set("redirect_uri", request.RedirectURI)
	query.Set("state", p.State)
	query.Set("code_challenge", oauth2.S256ChallengeFromVerifier(p.verifier))
	query.Set("code_challenge_method", "S256")
	if request.Resource != "" {
		query.Set("resource", request.Resource)
	}
	if len(request.Scopes) > 0 {
		query.Set("scope", strings.Join(request.Scopes, " "))
	}
	address.RawQuery = query.Encode()
	p.URL = address.String()
	return p, nil
}

// Read judges the parameters that came back. The issuer is judged before anything else that they
// say is believed, errors included (RFC 9207 section 2.4, MCP 2026-07-28).
func (p *Pending) Read(params url.Values) (*Answer, error) {
	for _, name := range []string{"code", "state", "iss", "error"} {
		if len(params[name]) > 1 {
			return nil, &MismatchError{
				What: "one parameter",
				Want: name,
				Got:  fmt.Sprintf("%d of them", len(params[name])),
			}
		}
	}
	if got := params.Get("state"); subtle.ConstantTimeCompare([]byte(got), []byte(p.State)) != 1 {
		return nil, &MismatchError{What: "state", Want: "of this sign-in", Got: printable(got)}
	}
	switch issuer := p.request.Issuer; {
	case params.Has("iss") && !issuer.Is(params.Get("iss")):
		return nil, &MismatchError{What: "iss", Want: issuer.Issuer, Got: printable(params.Get("iss"))}
	case !params.Has("iss") && issuer.IssInResponse:
		return nil, &MismatchError{What: "iss", Want: issuer.Issuer + ", which the server promises to send", Got: ""}
	}
	if params.Has("error") {
		return nil, &RefusedError{
			Step:        "authorization",
			Code:        printable(params.Get("error")),
			Description: printable(params.Get("error_description")),
		}
	}
	if params.Get("code") == "" {
		return nil, errors.New("authorization: the answer has neither a code nor an error")
	}
	return &Answer{Code: params.Get("code"), Verifier: p.verifier, Issuer: params.Get("iss")}, nil
}

// ReadPasted reads the address that a browser ended at, as a person has pasted it, where the
// answer could not reach the program by itself. Its error says what to paste instead. Read judges
// the rest.
func (p *Pending) ReadPasted(text string) (url.Values, error) {
	params, err := ReadPasted(text, p.request.RedirectURI)
	switch {
	case err == nil && !params.Has("state") && !params.Has("code") && !params.Has("error"):
		return nil, errors.New("the address has no answer in it: copy all of it, from http to its end")
	case err == nil && params.Get("state") != p.State:
		return nil, errors.New("the address is cut off, or belongs to another sign-in: copy all of this one's")
	case err != nil && strings.HasPrefix(tidy(text), page(p.URL)):
		return nil, errors.New("that is the page itself: open it, sign in, and paste where the browser ends")
	}
	return params, err
}

// page is an address without its query.
func page(address string) string {
	before, _, _ := strings.Cut(address, "?")
	return before
}

// tidy takes away what comes along when people copy an address.
func tidy(text string) string { return strings.Trim(text, " \t\r\n<>\"'") }

// ReadPasted reads a pasted address that should begin with a redirect URI. The scheme may be
// missing, since some browsers hide it.
func ReadPasted(text, redirectURI string) (url.Values, error) {
	wanted := fmt.Errorf("want the address that the browser ended at, which begins with %s?", redirectURI)
	want, err := url.Parse(redirectURI)
	if err != nil || len(text) > maxQuery {
		return nil, wanted
	}
	text = tidy(text)
	if strings.HasPrefix(strings.ToLower(text), strings.ToLower(want.Hostname())) {
		text = want.Scheme + "://" + text
	}
	got, err := url.Parse(text)
	if err != nil || got.Scheme != want.Scheme || got.Hostname() != want.Hostname() || got.Path != want.Path {
		return nil, wanted
	}
	params, err := url.ParseQuery(got.RawQuery)
	if err != nil {
		return nil, errors.New("the address is not whole: its query cannot be read")
	}
	return params, nil
}

// Scopes are what to ask for (MCP 2025-11-25, Scope Selection Strategy): what the challenge names,
// or else everything that the resource lists, or else nothing. The scope offline_access, which asks
// for a refresh token, is left out unless the authorization server knows it.
func Scopes(challenged string, resource *discovery.Resource, issuer *discovery.Issuer) []string {
	scopes := ReadScopes(challenged)
	if len(scopes) == 0 && resource != nil {
		scopes = ReadScopes(strings.Join(resource.Scopes, " "))
	}
	if !slices.Contains(issuer.Scopes, "offline_access") {
		scopes = slices.DeleteFunc(scopes, func(name string) bool { return name == "offline_access" })
	}
	const most = 100
	return scopes[:min(len(scopes), most)]
}

// ReadScopes splits a list of scopes. What cannot be one (RFC 6749 section 3.3) and what comes
// twice is left out.
func ReadScopes(list string) []string {
	var scopes []string
	for _, one := range strings.Fields(list) {
		outside := strings.ContainsFunc(one, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
		if !outside && !slices.Contains(scopes, one) {
			scopes = append(scopes, one)
		}
	}
	return scopes
}
