package console

import (
	"fmt"
	"strings"
	"unicode"
)

// Printable makes text of a server fit for a terminal: a line feed and a tab stay, every other
// character that a terminal would act on, or that changes the direction of writing, is made
// visible.
func Printable(text string) string {
	if !strings.ContainsFunc(text, acts) {
		return text
	}
	var out strings.Builder
	for _, r := range text {
		if acts(r) {
			fmt.Fprintf(&out, "\\u%04x", r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

func acts(r rune) bool {
	return r != '\n' && r != '\t' && !unicode.IsGraphic(r) || r == '\u2028' || r == '\u2029'
}
