package graph

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"mcpentra/fakeentra/directory"
)

// A Refusal is the reason why Graph does not accept a token. Graph answers 401 with the message.
type Refusal struct {
	Message string
	// Challenge has further parameters of the Bearer challenge, such as error="insufficient_claims"
	// and claims. Empty adds none.
	Challenge string
	// PoPNonce is the nonce of a challenge for proof of possession, which precedes Bearer. Empty
	// means no challenge of this kind.
	PoPNonce string
}

func (r *Refusal) Error() string { return r.Message }

// The refusals that need no further parameters.
var (
	ErrNoToken = &Refusal{Message: "Access token is empty."}
	// ErrNotWellFormed refuses a token without dots, in the words of Microsoft's token library.
	ErrNotWellFormed = &Refusal{Message: "IDX14100: JWT is not well formed, there are no dots (.).\n" +
		"The token needs to be in JWS or JWE Compact Serialization Format. " +
		"(JWS): 'EncodedHeader.EncodedPayload.EncodedSignature'. " +
		"(JWE): 'EncodedProtectedHeader.EncodedEncryptedKey.EncodedInitializationVector." +
		"EncodedCiphertext.EncodedAuthenticationTag'."}
	ErrExpired       = &Refusal{Message: "Lifetime validation failed, the token is expired."}
	ErrWrongAudience = &Refusal{Message: "Access token validation failure. Invalid audience."}
	ErrNotValid      = &Refusal{Message: "Access token validation failure."} // any other cause (M)
)

// authenticate finds the bearer of a request's token.
func (g *server) authenticate(ctx context.Context, header http.Header) (*Caller, *Refusal) {
	scheme, token, _ := strings.Cut(header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	switch {
	case token == "" || !strings.EqualFold(scheme, "Bearer"):
		return nil, ErrNoToken
	case !strings.Contains(token, "."):
		return nil, ErrNotWellFormed
	}
	caller, err := g.Caller(ctx, token)
	if err == nil {
		return caller, nil
	}
	refusal := ErrNotValid
	errors.As(err, &refusal)
	return nil, refusal
}

// refuse asks for a token (M: the contents of the challenge).
func (g *server) refuse(w http.ResponseWriter, refusal *Refusal) {
	parameters := `realm="", authorization_uri="` + g.Authority + `/common/oauth2/authorize", ` +
		`client_id="` + directory.GraphAppID + `"`
	challenge := "Bearer " + parameters
	if refusal.PoPNonce != "" {
		challenge = "PoP " + parameters + `, nonce="` + refusal.PoPNonce + `", ` + challenge
	}
	if refusal.Challenge != "" {
		challenge += ", " + refusal.Challenge
	}
	w.Header().Set("WWW-Authenticate", challenge)
	g.fail(w, http.StatusUnauthorized, "InvalidAuthenticationToken", refusal.Message)
}
