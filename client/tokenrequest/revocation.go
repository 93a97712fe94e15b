package tokenrequest

import (
	"context"
	"fmt"
	"net/url"
)

// Revoke asks the authorization server to revoke a refresh or access token (RFC 7009). revocation
// is the URL of its revocation endpoint.
func (e *Endpoint) Revoke(ctx context.Context, revocation, token string) error {
	at := *e
	at.URL = revocation
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, err := at.newRequest(ctx, url.Values{"token": {token}})
	if err != nil {
		return err
	}
	response, err := at.send(request)
	if err != nil {
		return fmt.Errorf("revocation endpoint: %w", withoutURL(err))
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("revocation endpoint %s: want status 200, got status %d", revocation, response.StatusCode)
	}
	return nil
}
