package lookalike

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// A reading is a way to split a name into words.
type reading struct {
	symbols   bool // symbols count as letters, such as | for l
	camelCase bool // an upper-case letter after a lower-case one begins a word
}

// words splits a name into the skeletons of its words (UTS 39 section 4). The skeleton is coarser
// than the standard's: it ignores case and marks, and turns digits into letters.
func (t *Table) words(name string, how reading) []string {
	var words []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			words = append(words, pairs.Replace(word.String()))
			word.Reset()
		}
	}
	// This comes before normalization, which turns some look-alikes into other letters: Ϲ becomes
	// Σ.
	name = strings.Map(t.latin, name)
	previous := ' '
	for _, r := range norm.NFKD.String(name) {
		if isInvisible(r) {
			continue
		}
		if how.camelCase && unicode.IsUpper(r) && unicode.IsLower(previous) {
			end()
		}
		previous = r
		letter := t.letter(r, how.symbols)
		if letter == 0 {
			end()
			continue
		}
		word.WriteRune(letter)
	}
	end()
	return words
}

// latin returns the ASCII letter that a letter looks like, in its case, or the letter itself.
func (t *Table) latin(r rune) rune {
	letter := t.letters[r]
	switch {
	case letter == 0:
		return r
	case unicode.IsUpper(r):
		return unicode.ToUpper(letter)
	}
	return letter
}

// isInvisible reports whether a skeleton ignores a character: marks over letters, direction
// controls, joiners, fillers.
func isInvisible(r rune) bool {
	isControl := unicode.IsControl(r) && !unicode.IsSpace(r)
	return isControl || unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point)
}

// pairs replaces pairs of letters that look like one letter.
var pairs = strings.NewReplacer("rn", "m", "vv", "w")

// symbols look like letters.
var symbols = map[rune]rune{
	'|': 'l',
	'!': 'l',
	'@': 'a',
	'$': 's',
	'€': 'e',
	'©': 'c',
	'¢': 'c',
	'₵': 'c',
	'₽': 'p',
	'®': 'r',
	'¥': 'y',
	'∪': 'u',
}

// digits look like letters. Upper-case I and lower-case i and l look the same, too.
var digits = map[rune]rune{'0': 'o', '1': 'l', '3': 'e', '4': 'a', '5': 's', '7': 't', '8': 'b', 'i': 'l'}

// letter returns the lower-case ASCII letter that a character looks like. It returns other letters
// and digits as they are, and 0 for all other characters.
func (t *Table) letter(r rune, withSymbols bool) rune {
	if letter := symbols[r]; letter != 0 && withSymbols {
		return letter
	}
	for _, spelling := range []rune{r, unicode.ToUpper(r), unicode.ToLower(r)} {
		if letter := t.letters[spelling]; letter != 0 {
			r = letter
			break
		}
	}
	r = unicode.ToLower(emblem(r))
	if letter := digits[r]; letter != 0 {
		r = letter
	}
	if unicode.IsLetter(r) || unicode.IsDigit(r) {
		return r
	}
	return 0
}

// emblems are the first letters of four alphabets: letters in circles, in squares and on flags.
// Unicode has no other form for them.
var emblems = []rune{0x1F130, 0x1F150, 0x1F170, 0x1F1E6}

// emblem returns the letter of an emblem, or the character itself.
func emblem(r rune) rune {
	for _, first := range emblems {
		if r >= first && r < first+26 {
			return 'A' + r - first
		}
	}
	return r
}
