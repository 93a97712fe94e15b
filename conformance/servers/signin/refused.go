package signin

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// A Refused means that the authorization server refused a step of the sign-in. Its texts are the
// server's own, on one line and bounded.
type Refused struct {
	Step        string // registration, authorization, token request or revocation
	Status      int    // 0 if the answer came through the browser
	Code        string // error (RFC 6749 section 5.2), or empty
	Description string // error_description, or empty
	Body        string // the beginning of a body that has no error
}

func (e *Refused) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "sign-in: the server refuses the %s", e.Step)
	if e.Status != 0 {
		fmt.Fprintf(&text, " with status %d", e.Status)
	}
	if e.Code != "" {
		fmt.Fprintf(&text, ": error %q", e.Code)
	}
	if e.Description != "" {
		fmt.Fprintf(&text, ": %q", e.Description)
	}
	if e.Body != "" {
		fmt.Fprintf(&text, ": %q", e.Body)
	}
	return text.String()
}

// refusal reads the error in the body of an answer. The secrets do not appear in it.
func refusal(step string, status int, body []byte, secrets ...string) *Refused {
	found := &Refused{Step: step, Status: status}
	var document struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(body, &document); err == nil && document.Code != "" {
		found.Code = cleaned(document.Code, secrets...)
		found.Description = cleaned(document.Description, secrets...)
		return found
	}
	found.Body = cleaned(string(body), secrets...)
	return found
}

const (
	// maxShown bounds a text of the server in an error, in runes.
	maxShown = 300
	// minSecret is how many bytes a secret has at least.
	minSecret = 8
)

// cleaned returns the beginning of a text on one line, without secrets and without characters that
// control a terminal.
func cleaned(text string, secrets ...string) string {
	for _, secret := range secrets {
		if len(secret) >= minSecret {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	visible := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r) || r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, text)
	runes := []rune(strings.Join(strings.Fields(visible), " "))
	if len(runes) > maxShown {
		return string(runes[:maxShown]) + "…"
	}
	return string(runes)
}
