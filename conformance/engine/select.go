package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Selection narrows down which checks are tried. Its zero value selects all that are not disruptive. Which revisions they are tried at is a
// matter of the target.
type Selection struct {
	IDs    []string // whole IDs, or beginnings of IDs up to a slash, such as server/token; nil means all
	Roles  []Role   // nil means all
	Levels []Level  // nil means all
	// Disruptive includes the checks that others notice, such as floods. They are for servers of one's own.
	Disruptive bool
}

// ErrNothingSelected says that no check is all that was asked for.
var ErrNothingSelected = errors.New("no check is selected")

// Select returns the checks that are selected, in their order. It refuses two checks with one ID, of which a report could
// not tell which failed, and an ID that no check has, which somebody would believe to have been tried.
func Select(checks []Check, selection Selection) ([]Check, error) {
	known := map[string]bool{}
	var selected []Check
	for _, check := range checks {
		if known[check.ID] {
			return nil, fmt.Errorf("two checks have the ID %q", check.ID)
		}
		known[check.ID] = true
		if (selection.Disruptive || !check.Disruptive) && Match(check.ID, selection.IDs) && has(selection.Roles, check.Role) && has(selection.Levels, check.Level) {
			selected = append(selected, check)
		}
	}
	for _, pattern := range selection.IDs {
		if !slices.ContainsFunc(checks, func(check Check) bool { return Match(check.ID, []string{pattern}) }) {
			return nil, fmt.Errorf("%w: none has the ID %q, or one that begins with it", ErrNothingSelected, pattern)
		}
	}
	if len(selected) == 0 && !selection.Disruptive {
		selection.Disruptive = true
		if held, err := Select(checks, selection); err == nil {
			return nil, fmt.Errorf("%w: %s is disruptive, and has to be asked for as such", ErrNothingSelected, held[0].ID)
		}
	}
	if len(selected) == 0 {
		return nil, ErrNothingSelected
	}
	return selected, nil
}

// Match reports whether an ID is selected by a pattern: the whole ID, or its beginning up to a slash. Nothing selects
// everything.
func Match(id string, patterns []string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(pattern string) bool {
		pattern = strings.TrimSuffix(pattern, "/")
		return id == pattern || strings.HasPrefix(id, pattern+"/")
	})
}

func has[T comparable](wanted []T, one T) bool {
	return len(wanted) == 0 || slices.Contains(wanted, one)
}
