package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Selection selects checks. Its zero value selects every check that is not disruptive.
type Selection struct {
	// IDs are whole IDs, or beginnings up to a slash, such as server/token. Nil means all.
	IDs []string
	// Except are whole IDs, or beginnings up to a slash, of checks that are not selected.
	Except []string
	// Roles are first segments of IDs. Nil means all.
	Roles []string
	// Levels of the rules. Nil means all.
	Levels []Level
	// Severities of the rules. Nil means all, with the rules that have none.
	Severities []Severity
	// Disruptive also selects checks that other users notice, such as floods. Use it only on your
	// own servers.
	Disruptive bool
	// Parallel is the number of checks that run at once. Zero means one. Disruptive checks always
	// run alone.
	Parallel int
	// Progress gets each result, in the order of the report. It may be nil.
	Progress func(Result)
	// Ended gets the number of checks that have ended, and of all, when a check ends. Calls do not
	// overlap. It may be nil.
	Ended func(ended, all int)
}

// ErrNothingSelected means that no check matches the selection.
var ErrNothingSelected = errors.New("no check is selected")

// ruled is a pointer to a Rule, or to a struct that embeds one.
type ruled[T any] interface {
	*T
	rule() *Rule
}

// Select returns the selected checks in their order. Checks are structs that embed a Rule. Select
// refuses two checks with one ID, because a report could not tell which of them failed. It also
// refuses an ID that no check has, because the caller would believe that the check ran.
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
	for _, pattern := range slices.Concat(selection.IDs, selection.Except) {
		hasID := func(current T) bool { return matches(P(&current).rule().ID, []string{pattern}) }
		if !slices.ContainsFunc(checks, hasID) {
			return nil, fmt.Errorf("%w: no check has the ID %q, or an ID below it", ErrNothingSelected, pattern)
		}
	}
	if len(selected) == 0 && !selection.Disruptive {
		selection.Disruptive = true
		if disruptive, err := Select[T, P](checks, selection); err == nil {
			id := P(&disruptive[0]).rule().ID
			return nil, fmt.Errorf("%w: %s is disruptive; also select disruptive checks", ErrNothingSelected, id)
		}
	}
	if len(selected) == 0 {
		return nil, ErrNothingSelected
	}
	return selected, nil
}

func (s *Selection) selects(rule *Rule) bool {
	isExcepted := len(s.Except) > 0 && matches(rule.ID, s.Except)
	isNamed := matches(rule.ID, s.IDs) && !isExcepted
	return isNamed && (s.Disruptive || !rule.Disruptive) && has(s.Roles, rule.role()) &&
		has(s.Levels, rule.Level) && has(s.Severities, rule.Severity)
}

// matches reports whether a pattern is the ID, or its beginning up to a slash. Without patterns it
// returns true.
func matches(id string, patterns []string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(pattern string) bool {
		pattern = strings.TrimSuffix(pattern, "/")
		return id == pattern || strings.HasPrefix(id, pattern+"/")
	})
}

// has reports whether a value is wanted. Without wanted values it returns true.
func has[T comparable](wanted []T, value T) bool {
	return len(wanted) == 0 || slices.Contains(wanted, value)
}
