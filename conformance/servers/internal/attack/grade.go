package attack

import (
	"errors"
	"net/http"

	"mcpentra/conformance/check"
)

// Answers to an HTTP method that an endpoint may lack (RFC 9110 sections 15.5.5, 15.5.6 and
// 15.6.2).
var (
	// MissingMethod are the refusals of a method that the endpoint lacks.
	MissingMethod = []int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented}
	// WithoutToken are the answers to a method without a token. An endpoint may refuse a method
	// that it lacks before it asks for a token.
	WithoutToken = append([]int{http.StatusUnauthorized}, MissingMethod...)
)

// WithoutEffect gives a mismatch without an effect another level. It is for bad input that was
// refused, although in another way than the rule wants.
func WithoutEffect(err error, level check.Level) error {
	var mismatch *check.Mismatch
	if errors.As(err, &mismatch) && !mismatch.Insecure {
		mismatch.Level = level
	}
	return err
}
