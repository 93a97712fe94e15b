package guard

import (
	"context"
	"time"
)

// A Principal names the person or application that a token speaks for. Use nothing else as the key
// of a user's data: names and addresses change, and users can choose them.
type Principal struct {
	// Issuer is Entra's issuer, even if a broker issued the token.
	Issuer string
	// TenantID and ObjectID are Entra's claims tid and oid.
	TenantID, ObjectID string
}

// A Kind tells people from applications.
type Kind string

// The kinds of callers.
const (
	// User is a person that Entra did not call a guest; see Identity.KindStated.
	User Kind = "user"
	// Guest is a person from outside the tenant.
	Guest Kind = "guest"
	// App is an application that calls for itself. It has roles and no scopes.
	App Kind = "app"
)

// Identity is what a verified token says about the caller.
type Identity struct {
	Principal
	// Kind is User if a Verify leaves it empty.
	Kind Kind
	// KindStated says that Entra stated the kind. Otherwise Kind is User only because nothing says
	// otherwise, and a tool for members alone has to refuse the caller. Entra states the kind if
	// the registration has the optional claim acct.
	KindStated bool
	// Name and Username are for display only.
	Name, Username string
	// ClientID is the OAuth client. ClientName is the client's own name for itself, which proves
	// nothing.
	ClientID, ClientName string
	// GrantID is the permission that the token was issued under, TokenID the token's own ID.
	GrantID, TokenID string
	Scopes           []string
	// Roles are the app roles of Entra's tokens.
	Roles []string
	// Groups are the object IDs of Entra's groups, if the registration asks for them.
	Groups []string
	// GroupsIncomplete says that the caller is in more groups than Entra writes into a token. A
	// group that is missing in Groups then proves nothing.
	GroupsIncomplete bool
	// Issued and Expiry are the token's iat and exp.
	Issued, Expiry time.Time
	// GoodUntil is the expiry plus the clock skew that Verify tolerates. From then on the guard
	// refuses the token and ends listening streams. Zero means Expiry.
	GoodUntil time.Time
}

// end returns the time from which the token is refused; zero means never.
func (id *Identity) end() time.Time {
	if id.GoodUntil.IsZero() {
		return id.Expiry
	}
	return id.GoodUntil
}

// A ForbiddenError is a Verify's error for a good token of a caller who may not call at all. The
// answer is 403 without a challenge, since no scope and no new sign-in would help.
type ForbiddenError struct {
	// Reason is for the log. It may repeat identifiers of the token, but nothing else of it.
	Reason string
	// Seen is the value that is not allowed, for example the client's ID. Setting is the key of
	// .env that would allow it. Both are for the log, and may be empty.
	Seen, Setting string
}

func (e *ForbiddenError) Error() string { return "forbidden: " + e.Reason }

// Verify checks a raw bearer token. Its error decides the answer: a token.InvalidError means 401
// with invalid_token, a [ForbiddenError] 403, and a token.UnavailableError or any other error 503
// with Retry-After.
//
// The guard also calls Verify for the tokens of running requests. A call may outlive its token, so
// the reason token.Expired does not end it. Therefore a Verify has to check the age last: if a
// token has expired and its grant is revoked too, it has to report the revocation.
type Verify func(ctx context.Context, raw string) (*Identity, error)

type contextKey struct{}

// NewContext returns a context in which [FromContext] finds the identity. It is for tests of
// handlers; the guard's contexts have the identity already.
func NewContext(ctx context.Context, id *Identity) context.Context {
	return context.WithValue(ctx, contextKey{}, id)
}

// FromContext returns the identity of the caller whose request the context belongs to. Do not
// change it.
func FromContext(ctx context.Context) (*Identity, bool) {
	id, ok := ctx.Value(contextKey{}).(*Identity)
	return id, ok && id != nil
}
