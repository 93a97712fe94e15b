package lookalike

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MixesScripts reports whether a word of a name has letters of more than one writing system, as in
// "Pаypal" with a Cyrillic а.
func (t *Table) MixesScripts(name string) bool {
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
	return slices.ContainsFunc(words, mixesScripts)
}

// scriptSets lists, by script, the writing systems that use it (UTS 39 sections 5.1 and 5.2,
// "highly restrictive"). A script that is not listed is its own writing system.
var scriptSets = map[string][]string{
	"Latin":    {"Latin", "Japanese", "Korean", "Bopomofo"},
	"Han":      {"Japanese", "Korean", "Bopomofo"},
	"Hiragana": {"Japanese"},
	"Katakana": {"Japanese"},
	"Hangul":   {"Korean"},
	"Bopomofo": {"Bopomofo"},
}

// mixesScripts reports whether no single writing system has all letters of a text.
func mixesScripts(text string) bool {
	var common []string
	for _, r := range text {
		script := scriptOf(r)
		if script == "" {
			continue
		}
		sets := scriptSets[script]
		if sets == nil {
			sets = []string{script}
		}
		if common == nil {
			common = sets
		}
		common = slices.DeleteFunc(slices.Clone(common), func(set string) bool { return !slices.Contains(sets, set) })
		if len(common) == 0 {
			return true
		}
	}
	return false
}

// scriptOf returns the script of a letter, or "" if all scripts use the letter.
func scriptOf(r rune) string {
	if unicode.In(r, unicode.Common, unicode.Inherited) {
		return ""
	}
	if r < utf8.RuneSelf {
		return "Latin"
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return "unknown"
}
