package tokenrequest

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// ClientCredentials asks for a token of the client's own (OAuth 2.1 section 4.2).
func (e *Endpoint) ClientCredentials(ctx context.Context, scopes []string, resource string) (*Token, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	setUnlessEmpty(form, "scope", strings.Join(scopes, " "))
	return e.ask(ctx, form, resource)
}

// JWTBearer exchanges an assertion that somebody else has signed (RFC 7523 section 2.1): a
// workload's identity, or an identity assertion authorization grant.
func (e *Endpoint) JWTBearer(ctx context.Context, assertion string, scopes []string, resource string) (*Token, error) {
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	setUnlessEmpty(form, "scope", strings.Join(scopes, " "))
	return e.ask(ctx, form, resource)
}

// An Exchange is the request for an identity assertion authorization grant (ID-JAG) at an identity
// provider.
type Exchange struct {
	// Subject is the identity assertion that the user has signed in with, and SubjectType its kind.
	// Empty means an ID token.
	Subject, SubjectType string
	// Audience is the issuer of the authorization server that the grant is for, and Resource the
	// MCP server.
	Audience, Resource string
	Scopes             []string
}

const (
	typeIDJAG   = "urn:ietf:params:oauth:token-type:id-jag"
	typeIDToken = "urn:ietf:params:oauth:token-type:id_token"
)

// Exchange gets an ID-JAG (RFC 8693 section 2.1; MCP, Enterprise-Managed Authorization).
func (e *Endpoint) Exchange(ctx context.Context, what Exchange) (string, error) {
	if what.SubjectType == "" {
		what.SubjectType = typeIDToken
	}
	form := url.Values{
		"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"requested_token_type": {typeIDJAG},
		"subject_token":        {what.Subject},
		"subject_token_type":   {what.SubjectType},
		"audience":             {what.Audience},
	}
	setUnlessEmpty(form, "resource", what.Resource)
	setUnlessEmpty(form, "scope", strings.Join(what.Scopes, " "))
	got := answer{}
	if err := e.post(ctx, "identity provider", form, &got); err != nil {
		return "", err
	}
	if got.IssuedType != typeIDJAG {
		return "", fmt.Errorf(
			"identity provider %s: want issued_token_type %s, got %q",
			e.URL,
			typeIDJAG,
			printable(got.IssuedType),
		)
	}
	if !sendable(got.AccessToken) {
		return "", fmt.Errorf("identity provider %s: no assertion that could be sent", e.URL)
	}
	return got.AccessToken, nil
}
