package tokenrequest

import (
	"context"
	"net/url"
	"strings"
)

// ClientCredentials requests a token for the client itself (OAuth 2.1 section 4.2). An empty
// resource is left out.
func (e *Endpoint) ClientCredentials(ctx context.Context, scopes []string, resource string) (*Token, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	setUnlessEmpty(form, "scope", strings.Join(scopes, " "))
	return e.requestToken(ctx, form, resource)
}

// JWTBearer requests a token with an assertion that another party has signed (RFC 7523 section
// 2.1): a workload's identity, or an identity assertion authorization grant. An empty resource is
// left out.
func (e *Endpoint) JWTBearer(ctx context.Context, assertion string, scopes []string, resource string) (*Token, error) {
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	setUnlessEmpty(form, "scope", strings.Join(scopes, " "))
	return e.requestToken(ctx, form, resource)
}
