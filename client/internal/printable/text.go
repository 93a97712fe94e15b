package printable

import (
	"strings"
	"unicode"
)

// maxText bounds a text, in bytes.
const maxText = 500

// Text bounds a text of a server. It replaces control characters and marks that change the
// direction of writing.
func Text(text string) string {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
