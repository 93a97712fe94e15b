package client

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

// idTokenLeeway is how much clocks may differ.
const idTokenLeeway = 5 * time.Minute

// idClaims are the claims of an ID token that checkTenant reads.
type idClaims struct {
	Issuer   string         `json:"iss"`
	Audience jsontext.Value `json:"aud"`
	Tenant   string         `json:"tid"`
	Expiry   float64        `json:"exp"`
}

// checkTenant binds a sign-in at an authorization server for all tenants to one tenant. The ID
// token of the first sign-in names the tenant, and later sign-ins must name the same one. The ID
// token came from the token endpoint itself, so its signature need not be verified (OpenID Connect
// Core section 3.1.3.7). The access token is for the server, so the client does not read it.
func (s *signIn) checkTenant(token *tokenrequest.Token) error {
	if !s.issuer.Tenants {
		return nil
	}
	claims, err := s.readIDToken(token.IDToken)
	if err != nil {
		return &SignInError{fmt.Errorf(
			"%s is for all tenants, and the sign-in does not name one: %w", s.issuer.Named, err,
		)}
	}
	switch {
	case s.answerIss != "" && s.answerIss != claims.Issuer:
		return &SignInError{fmt.Errorf(
			"want an ID token of %s, which the answer names, got one of %s", s.answerIss, claims.Issuer,
		)}
	case s.entry.Tenant != "" && s.entry.Tenant != claims.Tenant:
		return &SignInError{fmt.Errorf(
			"want a token of the tenant %s, in which you were signed in, got one of the tenant %s; "+
				"to change the tenant, sign out first",
			s.entry.Tenant, claims.Tenant,
		)}
	}
	s.entry.Tenant = claims.Tenant
	return nil
}

// checkRefreshedTenant refuses a refreshed token of another tenant, if its ID token names one.
func checkRefreshedTenant(token *tokenrequest.Token, entry tokenstore.Entry) error {
	if entry.Tenant == "" || token.IDToken == "" {
		return nil
	}
	claims, err := parseIDToken(token.IDToken)
	if err != nil {
		return err
	}
	if claims.Tenant != entry.Tenant {
		return fmt.Errorf("want a token of the tenant %s, got one of another tenant", entry.Tenant)
	}
	return nil
}

func (s *signIn) readIDToken(text string) (idClaims, error) {
	claims, err := parseIDToken(text)
	if err != nil {
		return claims, err
	}
	want := s.issuer.OfTenant(claims.Tenant)
	expiry := time.Unix(int64(claims.Expiry), 0).Add(idTokenLeeway)
	switch {
	case want == "":
		return claims, errors.New("the ID token has no tid with a tenant ID")
	case claims.Issuer != want:
		return claims, fmt.Errorf("want an ID token of %s, got another", want)
	case !claims.isFor(s.client.ID):
		return claims, errors.New("the ID token is for another client")
	case s.config.Now().After(expiry):
		return claims, errors.New("the ID token has expired")
	}
	return claims, nil
}

func parseIDToken(text string) (idClaims, error) {
	var claims idClaims
	if text == "" {
		return claims, errors.New("the token response has no ID token")
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return claims, errors.New("the ID token is not a JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims, errors.New("the ID token's payload is not base64url")
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return claims, errors.New("the ID token's payload is not a JSON object of claims")
	}
	return claims, nil
}

// isFor reports whether a client is the only audience.
func (c idClaims) isFor(clientID string) bool {
	var single string
	if json.Unmarshal(c.Audience, &single) == nil {
		return single == clientID
	}
	var list []string
	return json.Unmarshal(c.Audience, &list) == nil && len(list) == 1 && list[0] == clientID
}
