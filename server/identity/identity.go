package identity

import "time"

// A Principal identifies a person or an application. It is the only key under which anything may be
// kept for a user.
type Principal struct {
	// Issuer is Entra's v2 issuer, whatever the version of the token, and also if a broker issued
	// the token. For an application that a broker knows, Issuer is the broker.
	Issuer string `json:"iss"`
	// TenantID is Entra's claim tid. It is empty for an application that a broker knows.
	TenantID string `json:"tid"`
	// ObjectID is Entra's claim oid. For an application that a broker knows, it is the client ID.
	ObjectID string `json:"oid"`
}

// A Kind tells people from applications.
type Kind string

// The kinds of callers.
const (
	// User is a person of the tenant, unless [Attributes].KindStated is false.
	User Kind = "user"
	// Guest is a person whose account is in another tenant or at another identity provider.
	Guest Kind = "guest"
	// App is an application that calls for itself. Entra gives it roles and no scopes. A broker
	// gives it scopes and no roles.
	App Kind = "app"
)

// Attributes are what Entra's token says about a caller besides the principal.
type Attributes struct {
	// Kind is User if it is empty.
	Kind Kind `json:"kind"`
	// KindStated reports whether Entra stated the kind. If it did not, Kind is User only because
	// nothing contradicts it, and a tool for members alone must refuse the caller. Entra states the
	// kind of a person by the claims acct and idp; the registration has to ask for acct.
	KindStated bool `json:"kind_stated"`
	// Roles are the app roles.
	Roles []string `json:"roles,omitempty"`
	// Groups are the object IDs of groups. Entra lists them only if the registration asks for it.
	Groups []string `json:"groups,omitempty"`
	// GroupsIncomplete reports that the caller may be in groups that Groups does not list, because
	// Entra leaves out groups that do not fit into a token. A missing group then proves nothing.
	GroupsIncomplete bool `json:"groups_incomplete,omitempty"`
}

// A Caller is what a verified access token says about its caller. Do not change it: everyone who
// verifies the same token gets the same one.
type Caller struct {
	Principal
	Attributes
	// Name and Username are for display only.
	Name, Username string
	// ClientID is the OAuth client.
	ClientID string
	// ClientName is the client's own name for itself. It proves nothing.
	ClientName string
	// GrantID is the permission under which a broker issued the token.
	GrantID string
	// TokenID is the token's own ID: jti, or Entra's uti.
	TokenID string
	// Scopes are the granted scopes. Nil for an application of Entra's.
	Scopes []string
	// Issued and Expiry are the token's iat and exp.
	Issued, Expiry time.Time
	// GoodUntil is the time from which the token is refused: its expiry plus the tolerated clock
	// skew. The guard then refuses requests and ends listening streams. Zero means Expiry.
	GoodUntil time.Time
}
