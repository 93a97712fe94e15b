package broker

import (
	"slices"
	"strings"
	"unicode"
)

const (
	// maxClientName bounds a client's name, in runes.
	maxClientName = 80
	// maxMarks bounds the marks over one letter of a client's name.
	maxMarks = 2
)

// cleanName removes characters of a client's name that could deceive on a page: control characters,
// direction marks, invisible characters, quotation marks, and piles of marks over one letter.
func cleanName(name string) string {
	marks := 0
	cleaned := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		switch {
		case unicode.IsSpace(r), slices.Contains(blanks, r):
			return ' '
		case isHidden(r), marks > maxMarks:
			return -1
		case unicode.Is(unicode.Quotation_Mark, r), strings.ContainsRune(doublePrimes, r):
			return '\''
		}
		return r
	}, name)
	cleaned = strings.Join(strings.Fields(cleaned), " ")
	if runes := []rune(cleaned); len(runes) > maxClientName {
		cleaned = string(runes[:maxClientName-1]) + "…"
	}
	return cleaned
}

// isHidden reports whether a character shows nothing, or changes how its neighbours show.
func isHidden(r rune) bool {
	return !unicode.IsPrint(r) || r == unicode.ReplacementChar ||
		unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// blanks are characters without ink that Unicode does not count as spaces: the empty Braille cell,
// the null notehead, and the placeholder for an embedded object.
var blanks = []rune{'\u2800', '\U0001d159', '\ufffc'}

// doublePrimes look like quotation marks, with which the page ends a name.
const doublePrimes = "ʺ˝ˮ˵˶″‴‶‷⁗〃״"
