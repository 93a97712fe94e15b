package entra

import (
	"fmt"
	"time"
)

// Error is a refusal by Entra.
type Error struct {
	Op, Code, Suberror, Description string
	AADSTS, Status                  int
	CorrelationID, Advice           string
}

func (e *Error) Error() string {
	return fmt.Sprintf("entra: %s refused: %s AADSTS%d", e.Op, e.Code, e.AADSTS)
}

// GrantOver reports whether the grant is over and the user has to sign in again.
func (e *Error) GrantOver() bool {
	return e.Code == "invalid_grant" || e.Code == "interaction_required"
}

// UnavailableError means that Entra or Graph gave no usable answer.
type UnavailableError struct {
	Op         string
	Status     int
	RetryAfter time.Duration
	Err        error
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("entra: %s unavailable: %v", e.Op, e.Err)
}
func (e *UnavailableError) Unwrap() error { return e.Err }

// GraphError is a refusal by Microsoft Graph.
type GraphError struct {
	Status        int
	Code, Message string
	RetryAfter    time.Duration
}

func (e *GraphError) Error() string { return fmt.Sprintf("graph answered %d %s", e.Status, e.Code) }
