package catalogue

import (
	"slices"

	"mcpentra/conformance/engine"
)

// Levels that no check has.
const (
	May    engine.Level = "MAY"    // permitted; nothing to break
	Attack engine.Level = "attack" // what is wanted depends on the vector, see the checks
)

// An Entry is a requirement or an attack.
type Entry struct {
	// ID is stable: server-401-no-token, RS-012.
	ID       string
	Level    engine.Level
	Severity engine.Severity // of an attack
	// Revisions that the requirement belongs to. Nil means all.
	Revisions []engine.Revision
	// Sentence says in our words what is required, or tried.
	Sentence string
	// Elsewhere is why no check tries it, and what holds it instead. Empty means that a check does.
	Elsewhere string
}

// Entries are all entries, the requirements first.
func Entries() []Entry {
	return slices.Concat(requirements(), clientRequirements(), attacks(), clientAttacks())
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

// Covering are the checks that try an entry.
func Covering(id string, checks []engine.Check) []engine.Check {
	var found []engine.Check
	for _, check := range checks {
		if slices.Contains(check.Covers, id) {
			found = append(found, check)
		}
	}
	return found
}
