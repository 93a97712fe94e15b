package entra

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"mcpentra/server/token"
)

// A CallerKind tells people from applications.
type CallerKind string

// The kinds of callers.
const (
	// Member is a person of the tenant.
	Member CallerKind = "user"
	// Guest is a person whose account lives in another tenant, or at another identity provider.
	Guest CallerKind = "guest"
	// Application is an application that calls for itself.
	Application CallerKind = "app"
)

// A Caller is what a verified access token says. Issuer, TenantID and ObjectID identify the caller;
// Issuer is the v2 issuer whatever the token's version, so that one person is one person. The names
// are for display only.
type Caller struct {
	Attributes
	Issuer, TenantID, ObjectID string
	Name, Username             string
	// ClientID is the application that calls: azp, or appid in v1.
	ClientID string
	// Confidential says that the client has authenticated itself, with a secret or a certificate.
	Confidential bool
	// TokenID is Entra's uti.
	TokenID string
	// Scopes are the delegated permissions, by their short names. Nil for an application.
	Scopes         []string
	Issued, Expiry time.Time
	// GoodUntil is when the token is refused from: its expiry and the leeway.
	GoodUntil time.Time
}

// Why a token is refused that is well signed.
const (
	otherVersion   token.Reason = "of a token version that is not taken (AUTH_TOKEN_VERSION, or api.requestedAccessTokenVersion in the registration's manifest)"
	otherTenant    token.Reason = "from a tenant that is not listed (AUTH_TENANT_ID, AUTH_ALLOWED_TENANTS)"
	severalTargets token.Reason = "for several audiences"
	notAccess      token.Reason = "not an access token of Entra's: it names no client"
	disagreeing    token.Reason = "its claims disagree with each other"
)

// A ClientNotAllowedError means that the token is good, and its client is not on the list, or a
// public one where that is not enough.
type ClientNotAllowedError struct {
	ClientID string
	// Public says that the client is refused because it has not authenticated itself.
	Public bool
}

// Setting is the key of .env that would let the client in.
func (e *ClientNotAllowedError) Setting() string {
	if e.Public {
		return "AUTH_CONFIDENTIAL_CLIENTS"
	}
	return "AUTH_ALLOWED_CLIENTS"
}

func (e *ClientNotAllowedError) Error() string {
	if e.Public {
		return "the client " + e.ClientID + " has not authenticated itself, and only confidential ones may call (AUTH_CONFIDENTIAL_CLIENTS)"
	}
	return "the client " + e.ClientID + " is not among those that may call (AUTH_ALLOWED_CLIENTS)"
}

// Verify judges an access token. The error is a [*token.InvalidError], a [*ClientNotAllowedError],
// or says that nobody can tell now. The reason token.Expired means that nothing else is wrong with
// the token. Of a token that is remembered the caller is the same each time, so nobody may change
// it.
func (a *API) Verify(ctx context.Context, raw string) (*Caller, error) { return a.verify(ctx, raw) }

// Verifying is [API.Verify] for those who have a type of their own for callers: what it returns
// judges by the same rules, and with a memory of the same size of its own. Of a token that is
// remembered make is called once.
func Verifying[T any](a *API, make func(*Caller) T) func(ctx context.Context, raw string) (T, error) {
	type judged struct {
		caller *Caller
		made   T
	}
	cache := token.NewCache(a.cfg.CacheSize, a.issuers.Verify, func(verified *token.Claims) (*judged, error) {
		caller, err := a.read(verified)
		if err != nil {
			return nil, err
		}
		return &judged{caller, make(caller)}, nil
	})
	return func(ctx context.Context, raw string) (T, error) {
		var none T
		known, err := cache.Verify(ctx, raw)
		var invalid *token.InvalidError
		switch {
		case !errors.As(err, &invalid):
		case invalid.Reason == token.WrongIssuer:
			return none, a.explainIssuer(raw)
		case invalid.Reason == token.WrongAudience:
			return none, &token.InvalidError{Reason: invalid.Reason, Seen: invalid.Seen, Setting: "AUTH_AUDIENCE"}
		}
		if known == nil {
			return none, err
		}
		// A token that has expired comes with its caller. Age is judged last.
		if len(a.cfg.Clients) > 0 && !slices.Contains(a.cfg.Clients, known.caller.ClientID) {
			return none, &ClientNotAllowedError{ClientID: known.caller.ClientID}
		}
		if a.cfg.ConfidentialClients && !known.caller.Confidential {
			return none, &ClientNotAllowedError{ClientID: known.caller.ClientID, Public: true}
		}
		if err != nil {
			return none, err
		}
		return known.made, nil
	}
}

// explainIssuer tells the operator's commonest mistakes from a token that comes from nowhere.
func (a *API) explainIssuer(raw string) *token.InvalidError {
	issuer := token.UnverifiedIssuer(raw)
	authority := a.home.deployment
	tenant, ours := strings.CutPrefix(issuer, authority.authority+"/")
	if !ours {
		tenant, ours = strings.CutPrefix(issuer, "https://"+authority.cloud.sts+"/")
	}
	switch id, _, _ := strings.Cut(tenant, "/"); {
	case a.refused[issuer]:
		return &token.InvalidError{Reason: otherVersion, Seen: issuer, Setting: "AUTH_TOKEN_VERSION"}
	case ours && guid.MatchString(id):
		return &token.InvalidError{Reason: otherTenant, Seen: id, Setting: "AUTH_ALLOWED_TENANTS"}
	}
	return &token.InvalidError{Reason: token.WrongIssuer, Seen: issuer}
}

// accessClaims are Entra's claims beside the registered ones ("Access token claims reference").
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

// scopeText is what scp may be: names with single blanks between them.
var scopeText = regexp.MustCompile(`^[!-~]+( [!-~]+)*$`)

// read judges what is true of Entra's tokens only. The issuer and one audience are known to be
// right.
func (a *API) read(verified *token.Claims) (*Caller, error) {
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
		return nil, token.NewInvalidError(severalTargets)
	case client == "":
		// An ID token, whose audience is the same where client and API share one registration.
		return nil, token.NewInvalidError(notAccess)
	case claims.Version != known.version,
		claims.TenantID != known.client.deployment.tenant,
		claims.AZP != "" && claims.AppID != "",
		!guid.MatchString(client),
		!guid.MatchString(claims.ObjectID),
		verified.Subject == "":
		return nil, token.NewInvalidError(disagreeing)
	}
	caller := &Caller{
		Issuer:       known.client.deployment.issuer(),
		TenantID:     claims.TenantID,
		ObjectID:     claims.ObjectID,
		Name:         claims.Name,
		Username:     claims.Preferred,
		ClientID:     client,
		TokenID:      claims.TokenID,
		Confidential: proof == "1" || proof == "2",
		Issued:       verified.IssuedAt,
		Expiry:       verified.Expiry,
		GoodUntil:    verified.GoodUntil,
	}
	if caller.Username == "" {
		caller.Username = claims.UPN
	}
	// idtyp is an optional claim, so its absence says nothing; scp is what tells a person's token
	// from an application's.
	if claims.Scope == nil {
		if claims.Kind != "" && claims.Kind != "app" || verified.Subject != claims.ObjectID {
			return nil, token.NewInvalidError(disagreeing)
		}
		caller.Attributes = claims.ofApplication()
		caller.Name = ""
		caller.Username = ""
		return caller, nil
	}
	if claims.Kind != "" && claims.Kind != "user" || *claims.Scope != "" && !scopeText.MatchString(*claims.Scope) {
		return nil, token.NewInvalidError(disagreeing)
	}
	caller.Scopes = strings.Fields(*claims.Scope)
	caller.Attributes = claims.ofPerson(known.client.ownProvider(claims.TenantID))
	return caller, nil
}
