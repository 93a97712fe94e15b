package catalogue

import (
	_ "embed"
	"fmt"
	"slices"
	"sync"

	"mcpentra/conformance/check"
)

// Levels of entries that no check has.
const (
	May    check.Level = "MAY"    // a permission, which nothing can break
	Attack check.Level = "attack" // an attack; the checks have the levels
)

// An Entry is a requirement or an attack.
type Entry struct {
	// ID never changes, for example server-401-no-token or RS-012.
	ID       string
	Level    check.Level
	Severity check.Severity // of an attack
	// Revisions to which the requirement applies. Nil means all.
	Revisions []check.Revision
	// Sentence states the requirement or the attack in our words.
	Sentence string
	// Elsewhere is the reason why no check tries the entry. Empty means that a check does.
	Elsewhere string
	// LeftOut is the part of the entry that the checks do not try, and why. Empty means that they
	// try it all.
	LeftOut string
}

//go:embed requirements.tsv
var requirements string

//go:embed attacks.tsv
var attacks string

//go:embed reasons.tsv
var reasons string

var embedded = sync.OnceValues(read)

// read reads the embedded files.
func read() ([]Entry, error) {
	known, err := readReasons("reasons.tsv", reasons)
	if err != nil {
		return nil, err
	}
	required, err := readEntries("requirements.tsv", requirements, known)
	if err != nil {
		return nil, err
	}
	tried, err := readEntries("attacks.tsv", attacks, known)
	if err != nil {
		return nil, err
	}
	return slices.Concat(required, tried), nil
}

// Entries returns all entries, the requirements first. It panics if an embedded file has a syntax
// error; the tests of this package read the files.
func Entries() []Entry {
	entries, err := embedded()
	if err != nil {
		panic(fmt.Errorf("embedded catalogue: %w", err))
	}
	return slices.Clone(entries)
}

// Find returns the entry with an ID.
func Find(id string) (Entry, bool) {
	entries := Entries()
	i := slices.IndexFunc(entries, func(entry Entry) bool { return entry.ID == id })
	if i < 0 {
		return Entry{}, false
	}
	return entries[i], true
}

// Covering returns the rules that cover an entry.
func Covering(id string, rules []check.Rule) []check.Rule {
	var found []check.Rule
	for _, rule := range rules {
		if slices.Contains(rule.Covers, id) {
			found = append(found, rule)
		}
	}
	return found
}
