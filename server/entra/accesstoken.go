package entra

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"mcpentra/server/identity"
	"mcpentra/server/token"
)

// The reasons to refuse a token with a good signature.
const (
	otherVersion token.Reason = "of a token version that is not accepted (AUTH_TOKEN_VERSION, or " +
		"api.requestedAccessTokenVersion in the registration's manifest)"
	otherTenant       token.Reason = "from a tenant that is not listed (AUTH_TENANT_ID, AUTH_ALLOWED_TENANTS)"
	severalAudiences  token.Reason = "for several audiences"
	notAccess         token.Reason = "not an access token of Entra: it names no client"
	inconsistentToken token.Reason = "its claims contradict each other"
)

// A ClientNotAllowedError means that the token is good, but its client is not listed, or is a
// public client if only confidential clients may call.
type ClientNotAllowedError struct {
	ClientID string
	// Public says that the client is refused because it did not authenticate.
	Public bool
}

// Setting returns the key of .env that would accept the client.
func (e *ClientNotAllowedError) Setting() string {
	if e.Public {
		return "AUTH_CONFIDENTIAL_CLIENTS"
	}
	return "AUTH_ALLOWED_CLIENTS"
}

func (e *ClientNotAllowedError) Error() string {
	if e.Public {
		return "the client " + e.ClientID + " did not authenticate, and only confidential clients may call " +
			"(AUTH_CONFIDENTIAL_CLIENTS)"
	}
	return "the client " + e.ClientID + " may not call (AUTH_ALLOWED_CLIENTS)"
}

// Verify verifies an access token. The error is a [*token.InvalidError], a
// [*ClientNotAllowedError], or an error of another type if the token cannot be judged now.
// Token.Expired is the reason only if nothing else is wrong. Do not change the caller: Verify
// remembers it and returns it again.
func (a *API) Verify(ctx context.Context, raw string) (*identity.Caller, error) {
	known, err := a.cache.Verify(ctx, raw)
	var invalid *token.InvalidError
	switch {
	case !errors.As(err, &invalid):
	case invalid.Reason == token.WrongIssuer:
		return nil, a.explainIssuer(raw)
	case invalid.Reason == token.WrongAudience:
		return nil, &token.InvalidError{Reason: invalid.Reason, Seen: invalid.Seen, Setting: "AUTH_AUDIENCE"}
	}
	if known == nil {
		return nil, err
	}
	// The cache returns the caller of an expired token together with an error. Expiry is judged
	// last.
	if len(a.cfg.Clients) > 0 && !slices.Contains(a.cfg.Clients, known.ClientID) {
		return nil, &ClientNotAllowedError{ClientID: known.ClientID}
	}
	if a.cfg.ConfidentialClients && !known.confidential {
		return nil, &ClientNotAllowedError{ClientID: known.ClientID, Public: true}
	}
	if err != nil {
		return nil, err
	}
	return &known.Caller, nil
}

// explainIssuer recognises the operator's most common mistakes in the issuer of a refused token.
func (a *API) explainIssuer(raw string) *token.InvalidError {
	issuer := token.UnverifiedIssuer(raw)
	authority := a.home.deployment
	tenant, ours := strings.CutPrefix(issuer, authority.authority+"/")
	if !ours {
		tenant, ours = strings.CutPrefix(issuer, "https://"+authority.cloud.sts+"/")
	}
	id, _, _ := strings.Cut(tenant, "/")
	switch {
	case a.refused[issuer]:
		return &token.InvalidError{Reason: otherVersion, Seen: issuer, Setting: "AUTH_TOKEN_VERSION"}
	case ours && guid.MatchString(id):
		return &token.InvalidError{Reason: otherTenant, Seen: id, Setting: "AUTH_ALLOWED_TENANTS"}
	}
	return &token.InvalidError{Reason: token.WrongIssuer, Seen: issuer}
}

// accessClaims are Entra's claims besides the registered ones ("Access token claims reference").
type accessClaims struct {
	attributeClaims
	Version   string  `json:"ver"`
	TenantID  string  `json:"tid"`
	ObjectID  string  `json:"oid"`
	Scope     *string `json:"scp"`
	AZP       string  `json:"azp"`
	AZPProof  string  `json:"azpacr"`
	AppID     string  `json:"appid"`
	AppProof  string  `json:"appidacr"`
	TokenID   string  `json:"uti"`
	Kind      string  `json:"idtyp"`
	Name      string  `json:"name"`
	Preferred string  `json:"preferred_username"`
	UPN       string  `json:"upn"`
}

// A verifiedCaller is a remembered caller.
type verifiedCaller struct {
	identity.Caller
	// confidential reports whether the client authenticated itself with a secret or a certificate.
	confidential bool
}

// scopeText matches scp: names with single blanks between them.
var scopeText = regexp.MustCompile(`^[!-~]+( [!-~]+)*$`)

// read checks the rules that are specific to Entra's tokens. The issuer and one audience have been
// verified before.
func (a *API) read(verified *token.Claims) (*verifiedCaller, error) {
	known := a.known[verified.Issuer]
	var claims accessClaims
	if err := verified.Decode(&claims); err != nil {
		return nil, token.NewInvalidError(token.BadClaims)
	}
	client := claims.AZP
	proof := claims.AZPProof
	if known.version == "1.0" {
		client = claims.AppID
		proof = claims.AppProof
	}
	client = strings.ToLower(client)
	switch {
	case len(verified.Audience) != 1:
		return nil, token.NewInvalidError(severalAudiences)
	case client == "":
		// An ID token. Its audience is right if client and API share a registration.
		return nil, token.NewInvalidError(notAccess)
	case claims.Version != known.version,
		claims.TenantID != known.client.deployment.tenant,
		claims.AZP != "" && claims.AppID != "",
		!guid.MatchString(client),
		!guid.MatchString(claims.ObjectID),
		verified.Subject == "":
		return nil, token.NewInvalidError(inconsistentToken)
	}
	caller := &verifiedCaller{confidential: proof == "1" || proof == "2"}
	caller.Caller = identity.Caller{
		Principal: identity.Principal{
			Issuer:   known.client.deployment.issuer(),
			TenantID: claims.TenantID,
			ObjectID: claims.ObjectID,
		},
		Name:      claims.Name,
		Username:  claims.Preferred,
		ClientID:  client,
		TokenID:   claims.TokenID,
		Issued:    verified.IssuedAt,
		Expiry:    verified.Expiry,
		GoodUntil: verified.GoodUntil,
	}
	if caller.Username == "" {
		caller.Username = claims.UPN
	}
	// idtyp is an optional claim, so its absence means nothing. Only a person's token has scp.
	if claims.Scope == nil {
		if claims.Kind != "" && claims.Kind != "app" || verified.Subject != claims.ObjectID {
			return nil, token.NewInvalidError(inconsistentToken)
		}
		caller.Attributes = claims.ofApplication()
		caller.Name = ""
		caller.Username = ""
		return caller, nil
	}
	if claims.Kind != "" && claims.Kind != "user" || *claims.Scope != "" && !scopeText.MatchString(*claims.Scope) {
		return nil, token.NewInvalidError(inconsistentToken)
	}
	caller.Scopes = strings.Fields(*claims.Scope)
	caller.Attributes = claims.ofPerson(known.client.ownProvider(claims.TenantID))
	return caller, nil
}
