package token

import (
	"errors"
	"fmt"
	"time"
)

// A Reason names the rule that a token broke. The set is fixed, so reasons are safe to log and to
// count: none contains text of the token.
type Reason string

// The reasons of an [InvalidError].
const (
	Oversized           Reason = "longer than a token may be"
	NotThreeParts       Reason = "not three parts"
	BadEncoding         Reason = "a part is not canonical base64url"
	BadHeader           Reason = "the header is not strict JSON of the expected members"
	BadClaims           Reason = "the claims are not strict JSON of the expected types"
	AlgorithmNotAllowed Reason = "the algorithm is not allowed"
	TypeNotAllowed      Reason = "the type is not allowed"
	WrongIssuer         Reason = "from another issuer"
	WrongAudience       Reason = "for another audience"
	NoExpiry            Reason = "without an expiry time"
	Expired             Reason = "expired" // nothing else is wrong
	NotYetValid         Reason = "not valid yet"
	BoundToKey          Reason = "bound to a key that the request does not prove"
	NoKeyID             Reason = "without a key id"
	UnknownKey          Reason = "signed with a key that the issuer does not have"
	BadSignature        Reason = "the signature does not verify"
)

// InvalidError means that the token is bad and stays bad.
type InvalidError struct {
	Reason Reason
	// Seen is the value that came in place of the expected one, for a log. It is the caller's text,
	// of any length. Empty if the reason says enough.
	Seen string
	// Setting is the key of .env that would accept the token. Empty if no setting would.
	Setting string
}

// NewInvalidError makes an error for callers that have rules besides a [Verifier]'s. The reason
// must be a constant.
func NewInvalidError(reason Reason) *InvalidError { return &InvalidError{Reason: reason} }

func (e *InvalidError) Error() string { return "token refused: " + string(e.Reason) }

// UnavailableError means that the token cannot be judged now. Do not answer 401: clients would
// throw away a token that may be good.
type UnavailableError struct {
	// RetryAfter is the time to wait before the next try, at least a second.
	RetryAfter time.Duration
	Err        error
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("token cannot be judged for %s: %v", e.RetryAfter, e.Err)
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// ErrUnknownKey means that the issuer has no key with the token's key ID. A [KeySource] returns it
// only if it has asked recently enough.
var ErrUnknownKey = errors.New("the issuer has no key with this id")
