package tokenrequest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// authenticate adds the client's authentication to a form, by the client's own method and no other.
// client_secret_basic is in a header instead: setBasic adds it.
func (e *Endpoint) authenticate(form url.Values) error {
	switch e.Client.AuthMethod {
	case "", "none":
		setUnlessEmpty(form, "client_id", e.Client.ID)
	case "client_secret_post":
		form.Set("client_id", e.Client.ID)
		form.Set("client_secret", e.Client.Secret)
	case "client_secret_basic":
	case "private_key_jwt":
		if e.Key == nil {
			return errors.New("token endpoint: want a client key for private_key_jwt, got none")
		}
		assertion, err := e.Key.assertion(e.Client.ID, e.Issuer, e.SigningAlgs, e.now())
		if err != nil {
			return err
		}
		form.Set("client_id", e.Client.ID)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	default:
		return fmt.Errorf(
			"token endpoint: want none, client_secret_basic, client_secret_post or private_key_jwt "+
				"as the client's authentication, got %q",
			e.Client.AuthMethod,
		)
	}
	return nil
}

// setBasic adds the header of client_secret_basic (RFC 6749 section 2.3.1).
func (e *Endpoint) setBasic(request *http.Request) {
	if e.Client.AuthMethod == "client_secret_basic" {
		request.SetBasicAuth(url.QueryEscape(e.Client.ID), url.QueryEscape(e.Client.Secret))
	}
}
