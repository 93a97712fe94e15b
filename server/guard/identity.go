package guard

import (
	"context"
	"time"

	"mcpentra/server/identity"
)

// tokenEnd returns the time from which the caller's token is refused, or zero if it never is.
func tokenEnd(caller *identity.Caller) time.Time {
	if caller.GoodUntil.IsZero() {
		return caller.Expiry
	}
	return caller.GoodUntil
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
type Verify func(ctx context.Context, raw string) (*identity.Caller, error)

type contextKey struct{}

// NewContext returns a context in which [FromContext] finds the identity. It is for tests of
// handlers; the guard's contexts have the identity already.
func NewContext(ctx context.Context, id *identity.Caller) context.Context {
	return context.WithValue(ctx, contextKey{}, id)
}

// FromContext returns the identity of the caller whose request the context belongs to. Do not
// change it.
func FromContext(ctx context.Context) (*identity.Caller, bool) {
	id, ok := ctx.Value(contextKey{}).(*identity.Caller)
	return id, ok && id != nil
}
