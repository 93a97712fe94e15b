package signin

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"mcpentra/client/discovery"
	"mcpentra/client/tokenrequest"
)

// A Request is an authorization request (OAuth 2.1 section 4.1.1).
type Request struct {
	Issuer      *discovery.Issuer
	Client      tokenrequest.Client
	RedirectURI string
	Resource    string // empty leaves the parameter out
	Scopes      []string
}

// An Authorization is a request whose page can be opened.
type Authorization struct {
	// URL is the address of the authorization page.
	URL string
	// State is the parameter state of the request.
	State string

	request  Request
	verifier string
}

// Begin makes the address of the authorization page, with a new state and a new PKCE verifier
// (OAuth 2.1 section 4.1.1, RFC 8707 section 2).
func Begin(request Request) (*Authorization, error) {
	address, err := url.Parse(request.Issuer.AuthorizationEndpoint)
	if err != nil {
		return nil, fmt.Errorf("authorization endpoint: %w", err)
	}
	a := &Authorization{State: rand.Text(), request: request, verifier: oauth2.GenerateVerifier()}
	query := address.Query()
	query.Set("response_type", "code")
	query.Set("client_id", request.Client.ID)
	query.Set("redirect_uri", request.RedirectURI)
	query.Set("state", a.State)
	query.Set("code_challenge", oauth2.S256ChallengeFromVerifier(a.verifier))
	query.Set("code_challenge_method", "S256")
	if request.Resource != "" {
		query.Set("resource", request.Resource)
	}
	if len(request.Scopes) > 0 {
		query.Set("scope", strings.Join(request.Scopes, " "))
	}
	address.RawQuery = query.Encode()
	a.URL = address.String()
	return a, nil
}
