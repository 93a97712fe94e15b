package signin

import (
	"fmt"
	"strings"
	"unicode"
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

const maxPrintable = 500 // runes

// printable prepares a server's text for a terminal. It bounds the text, and replaces control
// characters and marks that change the direction of writing.
func printable(text string) string {
	if runes := []rune(text); len(runes) > maxPrintable {
		text = string(runes[:maxPrintable]) + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
