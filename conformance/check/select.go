package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Selection narrows down which checks are tried. Its zero value selects all that are not
// disruptive. The target decides at which revisions they are tried.
type Selection struct {
	IDs    []string // whole IDs, or beginnings of IDs up to a slash, such as server/token; nil means all
	Roles  []string // the first segments of IDs; nil means all
	Levels []Level  // nil means all
	// Disruptive includes the checks that others notice, such as floods. They are for servers of
	// one's own.
	Disruptive bool
	// Progress hears of each result as it comes. Nil hears nothing.
	Progress func(Result)
}

// ErrNothingSelected says that no check matches the selection.
var ErrNothingSelected = errors.New("no check is selected")

// ruled is a rule, or a struct that embeds one.
type ruled[T any] interface {
	*T
	rule() *Rule
}

// Select returns the checks that are selected, in their order. Checks are structs that embed a
// Rule. Select refuses two checks with one ID, because a report could not tell which of them
// failed. It also refuses an ID that no check has, because its user would believe it tried.
func Select[T any, P ruled[T]](checks []T, selection Selection) ([]T, error) {
	known := map[string]bool{}
	var selected []T
	for _, current := range checks {
		rule := P(&current).rule()
		if known[rule.ID] {
			return nil, fmt.Errorf("two checks have the ID %q", rule.ID)
		}
		known[rule.ID] = true
		if selection.selects(rule) {
			selected = append(selected, current)
		}
	}
	for _, pattern := range selection.IDs {
		hasID := func(current T) bool { return matches(P(&current).rule().ID, []string{pattern}) }
		if !slices.ContainsFunc(checks, hasID) {
			return nil, fmt.Errorf("%w: none has the ID %q, or one that begins with it", ErrNothingSelected, pattern)
		}
	}
	if len(selected) == 0 && !selection.Disruptive {
		selection.Disruptive = true
		if disruptive, err := Select[T, P](checks, selection); err == nil {
			id := P(&disruptive[0]).rule().ID
			return nil, fmt.Errorf("%w: %s is disruptive, and has to be asked for as such", ErrNothingSelected, id)
		}
	}
	if len(selected) == 0 {
		return nil, ErrNothingSelected
	}
	return selected, nil
}

func (s *Selection) selects(rule *Rule) bool {
	return (s.Disruptive || !rule.Disruptive) && matches(rule.ID, s.IDs) &&
		has(s.Roles, rule.role()) && has(s.Levels, rule.Level)
}

// matches reports whether an ID is selected by a pattern: the whole ID, or its beginning up to a
// slash. No pattern selects everything.
func matches(id string, patterns []string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(pattern string) bool {
		pattern = strings.TrimSuffix(pattern, "/")
		return id == pattern || strings.HasPrefix(id, pattern+"/")
	})
}

func has[T comparable](wanted []T, value T) bool {
	return len(wanted) == 0 || slices.Contains(wanted, value)
}
