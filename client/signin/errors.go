package signin

import (
	"fmt"
	"strings"
	"unicode"
)

// A RefusedError says that the authorization server, or the person, said no.
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

// A MismatchError says that an answer came that does not belong to the question, so that it was not
// used.
type MismatchError struct {
	What, Want, Got string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("the answer to the sign-in was not used: want %s %s, got %q", e.What, e.Want, e.Got)
}

// printable makes text of a server fit for a terminal: bounded, without control characters and
// marks that change the direction of writing.
func printable(text string) string {
	if runes := []rune(text); len(runes) > 500 {
		text = string(runes[:500]) + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
