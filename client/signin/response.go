package signin

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"

	"mcpentra/client/internal/printable"
)

// A Response is a successful authorization response (OAuth 2.1 section 4.1.2).
type Response struct {
	Code string
	// Verifier is the request's PKCE verifier. The token request has to send it with the code.
	Verifier string
	// Issuer is the parameter iss (RFC 9207). Empty if the response has none.
	Issuer string
}

// ReadResponse checks the parameters of an authorization response. It checks state and iss first,
// so that no other server's error is shown (RFC 9207 section 2.4, MCP 2026-07-28).
//
// The error is a *MismatchError if the response does not belong to the request, and a *RefusedError
// if the authorization server refused.
func (a *Authorization) ReadResponse(params url.Values) (*Response, error) {
	for _, name := range []string{"code", "state", "iss", "error"} {
		if n := len(params[name]); n > 1 {
			return nil, &MismatchError{What: "a single parameter", Want: name, Got: fmt.Sprintf("%d of them", n)}
		}
	}
	if err := a.checkState(params); err != nil {
		return nil, err
	}
	if err := checkIss(params, a.request.Issuer); err != nil {
		return nil, err
	}
	if params.Has("error") {
		return nil, &RefusedError{
			Step:        "authorization",
			Code:        printable.Text(params.Get("error")),
			Description: printable.Text(params.Get("error_description")),
		}
	}
	if params.Get("code") == "" {
		return nil, errors.New("authorization: the response has neither a code nor an error; sign in again")
	}
	return &Response{Code: params.Get("code"), Verifier: a.verifier, Issuer: params.Get("iss")}, nil
}

// checkState returns an error unless a response has the state of the request (OAuth 2.1 section
// 4.1.2).
func (a *Authorization) checkState(params url.Values) error {
	state := params.Get("state")
	if subtle.ConstantTimeCompare([]byte(state), []byte(a.State)) != 1 {
		return &MismatchError{What: "state", Want: "of this sign-in", Got: printable.Text(state)}
	}
	return nil
}
