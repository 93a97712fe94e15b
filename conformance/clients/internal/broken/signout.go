package broken

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// signOut deletes the grant and revokes it (RFC 7009).
func (r *attempt) signOut(ctx context.Context) error {
	ended := r.grant
	if err := r.deleteGrant(); err != nil {
		return err
	}
	if ended == nil || ended.issuer.Revocation == "" || r.has(RevokesNothing) {
		return nil
	}
	token := ended.refresh
	if token == "" || r.has(RevokesAccessOnly) {
		token = ended.access
	}
	asked := url.Values{"token": {token}}
	header := http.Header{}
	if !r.has(RevokesUnauthenticated) {
		r.authenticate(ended.client, header, asked)
	}
	address := ended.issuer.Revocation
	if r.has(RevokesInQuery) {
		address += "?" + url.Values{"token": {token}}.Encode()
	}
	response, _, err := r.post(ctx, address, formType, header, []byte(asked.Encode()))
	if err == nil && response.StatusCode != http.StatusOK {
		const text = "signed out locally, but the authorization server answers %d to the revocation"
		err = fmt.Errorf(text, response.StatusCode)
	}
	if r.has(HidesFailedRevocation) {
		return nil
	}
	return err
}
