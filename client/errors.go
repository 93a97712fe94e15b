package client

import (
	"errors"
	"strings"
)

// A SignInError reports that a request has no token because its sign-in failed, was refused, or is
// not allowed any more.
type SignInError struct{ Err error }

// Error says "sign-in" once, even if several steps have wrapped the error.
func (e *SignInError) Error() string {
	text := e.Err.Error()
	var inner *SignInError
	if errors.As(e.Err, &inner) && strings.HasPrefix(text, "sign-in: ") {
		return text
	}
	return "sign-in: " + text
}

// Unwrap returns the reason.
func (e *SignInError) Unwrap() error { return e.Err }

// ErrSignedOut reports that SignOut was called, and Reset was not called since.
var ErrSignedOut = errors.New("you have signed out here")

// ErrNoAnswer reports that the person did not finish the sign-in in time.
var ErrNoAnswer = errors.New("no answer came from the browser in time; if its window was closed, start again")
