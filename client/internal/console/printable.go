package console

import (
	"fmt"
	"strings"
	"unicode"
)

// Printable makes text of a server harmless for a terminal. It keeps line feeds and tabs. It
// escapes every other character that controls the terminal or changes the direction of writing.
func Printable(text string) string {
	if !strings.ContainsFunc(text, isControl) {
		return text
	}
	var out strings.Builder
	for _, r := range text {
		if isControl(r) {
			fmt.Fprintf(&out, "\\u%04x", r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

func isControl(r rune) bool {
	return r != '\n' && r != '\t' && !unicode.IsGraphic(r) || r == '\u2028' || r == '\u2029'
}
