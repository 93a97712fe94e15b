package lookalike

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Likeness is a known client for which people may take another client.
type Likeness struct {
	Name string
	// Hosts are the hosts of the known client's redirect URIs. None means that it has them
	// only on the person's own computer.
	Hosts []string
}

// maxName bounds the text that Client compares, in runes.
const maxName = 200

// Client returns the known client that a self-chosen name equals or resembles, if answers to host
// do not reach that client. Host is in lower-case IDNA ASCII without a port. Loopback says that it
// is the person's own computer. Nil means that no warning is needed.
func (t *Table) Client(name, host string, loopback bool) *Likeness {
	if runes := []rune(name); len(runes) > maxName {
		name = string(runes[:maxName])
	}
	var readings [][]string
	for _, how := range []reading{{}, {symbols: true}, {camelCase: true}, {symbols: true, camelCase: true}} {
		readings = append(readings, t.words(name, how))
	}
	var found *knownClient
	var foundName string
	for _, client := range t.clients {
		for i, skeleton := range client.skeletons {
			if !t.resemble(readings, skeleton, client.CommonWord) {
				continue
			}
			spelled := strings.Contains(plain(name), plain(client.Names[i]))
			if slices.Contains(client.Hosts, host) || loopback && client.Loopback && spelled {
				return nil
			}
			if len(client.Names[i]) > len(foundName) {
				found = client
				foundName = client.Names[i]
			}
		}
	}
	if found == nil {
		return nil
	}
	return &Likeness{Name: foundName, Hosts: found.Hosts}
}

// plain returns the ASCII letters and digits of a name in lower case.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// resemble reports whether a reading of a name has a run of words that looks like the known name.
// If the known name is a common word, the other words must be decorations.
func (t *Table) resemble(readings [][]string, known string, commonWord bool) bool {
	for _, words := range readings {
		for from := range words {
			to, found := runOf(words, from, known)
			if found && (!commonWord || t.decorates(words[:from]) && t.decorates(words[to:])) {
				return true
			}
		}
	}
	return false
}

// runOf returns the end of the run of words from a place on that makes up the known name.
func runOf(words []string, from int, known string) (to int, found bool) {
	joined := ""
	for to = from; to < len(words) && len(joined) < len(known); to++ {
		joined += words[to]
	}
	return to, joined == known
}

// decorates reports whether words distinguish no name from another, such as "official" or a number.
func (t *Table) decorates(words []string) bool {
	return !slices.ContainsFunc(words, func(word string) bool {
		return !t.decorations[word] && strings.Trim(word, "0123456789lo") != ""
	})
}
