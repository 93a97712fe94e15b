package signin

import (
	"fmt"
)

// A RefusedError says that the authorization server, or the person, refused.
type RefusedError struct {
	Step        string // authorization, registration or token
	Code        string // the OAuth error code
	Description string
}

func (e *RefusedError) Error() string {
	if e.Description == "" {
		return fmt.Sprintf("%s refused: %s", e.Step, e.Code)
	}
	return fmt.Sprintf("%s refused: %s (%s)", e.Step, e.Code, e.Description)
}

// A MismatchError says that a response does not belong to the request. The sign-in does not use it.
type MismatchError struct {
	What, Want, Got string
}

func (e *MismatchError) Error() string {
	const format = "the authorization response was not used: want %s %s, got %q; sign in again"
	return fmt.Sprintf(format, e.What, e.Want, e.Got)
}
