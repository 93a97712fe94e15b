package report

import (
	"fmt"
	"html/template"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An anchor is the ID of an element, made from the ID of a check. The page's own elements have an
// underscore in their IDs, which no anchor has.
type anchor string

// Link returns the fragment that leads to the element.
func (a anchor) Link() template.URL { return template.URL("#" + a) }

// anchorOf returns the anchor for an ID. Slashes stay, so that links are easy to write by hand.
func anchorOf(id string) anchor {
	return anchor(strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/@.-", r)) {
			return r
		}
		return '-'
	}, id))
}

// anchors counts the uses of each anchor.
type anchors map[anchor]int

// unused returns an anchor for an ID that no element has yet.
func (a anchors) unused(id string) anchor {
	wanted := anchorOf(id)
	found := wanted
	for a[found] > 0 {
		a[wanted]++
		found = anchor(fmt.Sprintf("%s-%d", wanted, a[wanted]))
	}
	a[found]++
	return found
}
