package guard

import (
	"context"
	"time"
)

// Principal is who a token speaks for. It is the only key under which anything may be kept for a
// user: names and addresses change, and users can choose them.
type Principal struct {
	// Issuer is Entra's issuer, also where the token is a broker's.
	Issuer string
	// TenantID and ObjectID are Entra's claims tid and oid.
	TenantID, ObjectID string
}

// A Kind tells people from applications.
type Kind string

// The kinds of callers.
const (
	// User is a person who is no guest as far as Entra said; see Identity.KindStated.
	User Kind = "user"
	// Guest is a person from outside the tenant.
	Guest Kind = "guest"
	// App is an application that calls for itself. It has roles and no scopes.
	App Kind = "app"
)

// Identity is what a verified token says about the caller.
type Identity struct {
	Principal
	// Kind is User where a Verify leaves it empty.
	Kind Kind
	// KindStated says that Entra stated the kind. Where it did not, Kind is User only because
	// nothing says otherwise, and a tool that is for members alone has to refuse. Entra states it
	// if the registration has the optional claim acct.
	KindStated bool
	// Name and Username are for display only.
	Name, Username string
	// ClientID is the OAuth client; ClientName is what it calls itself, which proves nothing.
	ClientID, ClientName string
	// GrantID is the permission that the token was issued under, TokenID the token's own id.
	GrantID, TokenID string
	Scopes           []string
	// Roles are the app roles of Entra's tokens.
	Roles []string
	// Groups are the object IDs of Entra's groups, if the registration asks for them.
	Groups []string
	// GroupsIncomplete says that the caller is in groups which Groups does not have: more than
	// Entra writes into a token. That a group is missing then proves nothing.
	GroupsIncomplete bool
	// Issued and Expiry are the token's iat and exp.
	Issued, Expiry time.Time
	// GoodUntil is when the token is refused from: its expiry, and the difference of clocks that
	// Verify tolerates. The guard refuses requests from then on, and ends listening streams then.
	// Zero means Expiry.
	GoodUntil time.Time
}

// end is when the token is refused from; zero where it never is.
func (id *Identity) end() time.Time {
	if id.GoodUntil.IsZero() {
		return id.Expiry
	}
	return id.GoodUntil
}

// A ForbiddenError is a Verify's answer to a good token of a caller who may not call at all: 403.
// No scope and no new sign-in would help, so the answer has no challenge.
type ForbiddenError struct {
	// Reason is for the log: a constant, or text that holds nothing of the token but identifiers.
	Reason string
	// Seen is what came in place of what is allowed, such as the client's ID, and Setting the key
	// of .env that would allow it. Both are for the log, and may be empty.
	Seen, Setting string
}

func (e *ForbiddenError) Error() string { return "forbidden: " + e.Reason }

// Verify judges a raw bearer token. The errors of package token decide the answer: an InvalidError
// is 401 with invalid_token; a [ForbiddenError] is 403; an UnavailableError, and every error of
// another kind, is 503 with Retry-After.
//
// The guard also asks Verify about the tokens of running requests. A call may outlive its token, so
// the reason token.Expired does not end it. Therefore a Verify has to judge age last: where a token
// has expired and its grant has been revoked too, it has to report the revocation.
type Verify func(ctx context.Context, raw string) (*Identity, error)

type contextKey struct{}

// NewContext returns a context in which [FromContext] finds the identity. The guard does this for
// every request; it is exported for tests of handlers.
func NewContext(ctx context.Context, id *Identity) context.Context {
	return context.WithValue(ctx, contextKey{}, id)
}

// FromContext returns the identity of the caller whose request the context belongs to. It must not
// be changed.
func FromContext(ctx context.Context) (*Identity, bool) {
	id, ok := ctx.Value(contextKey{}).(*Identity)
	return id, ok && id != nil
}
