package tokenrequest

import (
	"context"
	"net/url"
)

// Redeem sends an authorization code (OAuth 2.1 section 4.1.3). An empty resource is left out.
func (e *Endpoint) Redeem(ctx context.Context, code, verifier, redirectURI, resource string) (*Token, error) {
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"code_verifier": {verifier},
		"redirect_uri":  {redirectURI},
	}
	setUnlessEmpty(form, "scope", e.Scope)
	return e.requestToken(ctx, form, resource)
}
