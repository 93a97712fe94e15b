package token

import (
	"errors"
	"fmt"
	"time"
)

// A Reason says which rule a token broke. The set is fixed, so a reason can be logged and counted
// without fear of what a caller wrote into the token.
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
	Expired             Reason = "expired" // and nothing else is wrong
	NotYetValid         Reason = "not valid yet"
	BoundToKey          Reason = "bound to a key that the request does not prove"
	NoKeyID             Reason = "without a key id"
	UnknownKey          Reason = "signed with a key that the issuer does not have"
	BadSignature        Reason = "the signature does not verify"
)

// InvalidError means that the token is bad and will stay so.
type InvalidError struct {
	Reason Reason
	// Seen is what the token said in place of what was expected, for a log. It is the caller's
	// text, of any length. Empty where the reason says all.
	Seen string
	// Setting is the key of .env that would let the token in. Empty where there is none.
	Setting string
}

// NewInvalidError is for callers with rules of their own on top of a [Verifier]'s: give a constant.
func NewInvalidError(reason Reason) *InvalidError { return &InvalidError{Reason: reason} }

func (e *InvalidError) Error() string { return "token refused: " + string(e.Reason) }

// UnavailableError means that the token cannot be judged now. It is neither good nor bad: answering
// 401 would make clients throw away good tokens.
type UnavailableError struct {
	// RetryAfter is how long to wait before asking again, at least a second.
	RetryAfter time.Duration
	Err        error
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("token cannot be judged for %s: %v", e.RetryAfter, e.Err)
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// ErrUnknownKey is a [KeySource]'s answer when the issuer, asked recently enough, has no such key.
var ErrUnknownKey = errors.New("the issuer has no such key")
