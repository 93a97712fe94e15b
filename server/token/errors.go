package token

import (
	"fmt"
	"time"
)

// InvalidError says that a token is not acceptable.
type InvalidError struct{ Reason Reason }

// Reason is one of a fixed set of sentences.
type Reason string

func (e *InvalidError) Error() string { return "token: " + string(e.Reason) }

// UnavailableError says that a token cannot be judged now.
type UnavailableError struct {
	RetryAfter time.Duration
	Err        error
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("token: keys are unavailable: %v", e.Err)
}
func (e *UnavailableError) Unwrap() error { return e.Err }
