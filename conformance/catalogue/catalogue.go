package catalogue

import (
	_ "embed"
	"fmt"
	"slices"
	"sync"

	"mcpentra/conformance/check"
)

// Levels that no check has.
const (
	May    check.Level = "MAY"    // permitted; nothing to break
	Attack check.Level = "attack" // what is wanted depends on the vector, see the checks
)

// An Entry is a requirement or an attack.
type Entry struct {
	// ID is stable: server-401-no-token, RS-012.
	ID       string
	Level    check.Level
	Severity check.Severity // of an attack
	// Revisions that the requirement belongs to. Nil means all.
	Revisions []check.Revision
	// Sentence says in our words what is required, or tried.
	Sentence string
	// Elsewhere is why no check tries it, and what holds it instead. Empty means that a check does.
	Elsewhere string
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

// Entries are all entries, the requirements first. It panics where an embedded file cannot be read,
// which the tests of this package rule out.
func Entries() []Entry {
	entries, err := embedded()
	if err != nil {
		panic(fmt.Errorf("the embedded catalogue: %w", err))
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

// Covering are the rules that cover an entry.
func Covering(id string, rules []check.Rule) []check.Rule {
	var found []check.Rule
	for _, rule := range rules {
		if slices.Contains(rule.Covers, id) {
			found = append(found, rule)
		}
	}
	return found
}
