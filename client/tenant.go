package client

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

// idTokenLeeway is how far clocks may differ.
const idTokenLeeway = 5 * time.Minute

// idClaims are the claims of an ID token that say who issued it, for whom, and when it ends.
type idClaims struct {
	Issuer   string         `json:"iss"`
	Audience jsontext.Value `json:"aud"`
	Tenant   string         `json:"tid"`
	Expiry   float64        `json:"exp"`
}

// checkTenant keeps a sign-in at an authorization server for all tenants to one tenant: the one
// that the ID token names, and after the first sign-in no other. The ID token came from the token
// endpoint itself, so its signature need not be verified (OpenID Connect Core section 3.1.3.7). The
// access token is for the server, and is not read.
func (t *Transport) checkTenant(a *attempt, token *tokenrequest.Token, entry *tokenstore.Entry) error {
	if !a.issuer.Tenants {
		return nil
	}
	claims, err := t.readIDToken(a.issuer, a.client.ID, token.IDToken)
	if err != nil {
		return &SignInError{fmt.Errorf("%s is for all tenants, and the tenant is not known: %w", a.issuer.Named, err)}
	}
	switch {
	case a.answered != "" && a.answered != claims.Issuer:
		return &SignInError{fmt.Errorf("the answer came from %s, and the ID token from %s", a.answered, claims.Issuer)}
	case entry.Tenant != "" && entry.Tenant != claims.Tenant:
		return &SignInError{fmt.Errorf("you were signed in with the tenant %s, and the token is of the tenant %s; "+
			"if that is right, sign out first", entry.Tenant, claims.Tenant)}
	}
	entry.Tenant = claims.Tenant
	return nil
}

// checkRefreshedTenant keeps a refreshed token to the tenant of its sign-in, where there is an ID
// token.
func checkRefreshedTenant(token *tokenrequest.Token, entry tokenstore.Entry) error {
	if entry.Tenant == "" || token.IDToken == "" {
		return nil
	}
	claims, err := parseIDToken(token.IDToken)
	if err == nil && claims.Tenant != entry.Tenant {
		err = fmt.Errorf("want a token of the tenant %s, got one of another", entry.Tenant)
	}
	return err
}

func (t *Transport) readIDToken(issuer *discovery.Issuer, clientID, text string) (idClaims, error) {
	claims, err := parseIDToken(text)
	if err != nil {
		return claims, err
	}
	want := issuer.OfTenant(claims.Tenant)
	ends := time.Unix(int64(claims.Expiry), 0).Add(idTokenLeeway)
	switch {
	case want == "":
		return claims, errors.New("the ID token has no tid that could be a tenant")
	case claims.Issuer != want:
		return claims, fmt.Errorf("want an ID token of %s, got another", want)
	case !claims.isFor(clientID):
		return claims, errors.New("the ID token is for another client")
	case t.config.Now().After(ends):
		return claims, errors.New("the ID token has expired")
	}
	return claims, nil
}

func parseIDToken(text string) (idClaims, error) {
	var claims idClaims
	if text == "" {
		return claims, errors.New("there is no ID token in the answer")
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return claims, errors.New("the ID token is no JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return claims, errors.New("the ID token cannot be read")
	}
	return claims, nil
}

// isFor reports whether a client is the only audience.
func (c idClaims) isFor(clientID string) bool {
	var one string
	var all []string
	if json.Unmarshal(c.Audience, &one) == nil {
		return one == clientID
	}
	return json.Unmarshal(c.Audience, &all) == nil && len(all) == 1 && all[0] == clientID
}

// withHint names the flag that would have helped where Entra ID refuses the parameter resource.
func (t *Transport) withHint(err error, a *attempt) error {
	var refused *signin.RefusedError
	if a.resource == "" || !errors.As(err, &refused) {
		return err
	}
	const ofResource = "AADSTS9010010 AADSTS901002"
	code, _, _ := strings.Cut(refused.Description, ":")
	if refused.Code != "invalid_target" && !(len(code) > len("AADSTS") && strings.Contains(ofResource, code)) {
		return err
	}
	return &SignInError{fmt.Errorf("%w; --entra-no-resource (Entra.NoResource) leaves the parameter resource out", err)}
}
