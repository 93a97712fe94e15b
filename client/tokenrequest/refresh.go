package tokenrequest

import (
	"context"
	"net/url"
)

// Refresh sends a refresh token (OAuth 2.1 section 4.3). If the response has no new refresh token,
// the returned token holds the old one. An empty resource is left out.
func (e *Endpoint) Refresh(ctx context.Context, refreshToken, resource string) (*Token, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
	setUnlessEmpty(form, "scope", e.Scope)
	token, err := e.requestToken(ctx, form, resource)
	if err == nil && token.Refresh == "" {
		token.Refresh = refreshToken
	}
	return token, err
}
