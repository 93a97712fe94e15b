package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"mcpentra/conformance/check"
)

// A baseline holds the known verdicts fail and error, by the name of the result.
type baseline map[string]check.Verdict

// maxBaseline bounds a baseline file, in bytes.
const maxBaseline = 1 << 20

// readBaseline reads a file with one verdict and one name per line. A # starts a comment.
func readBaseline(name string) (baseline, error) {
	info, err := os.Stat(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w; write it with --write-baseline", err)
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxBaseline {
		return nil, fmt.Errorf("%s: want at most %d bytes, got %d", name, maxBaseline, info.Size())
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	known := baseline{}
	line := 0
	for row := range strings.Lines(string(text)) {
		line++
		entry, _, _ := strings.Cut(row, "#")
		words := strings.Fields(entry)
		if len(words) == 0 {
			continue
		}
		if err := known.add(words); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", name, line, err)
		}
	}
	return known, nil
}

// add adds the words of one line.
func (b baseline) add(words []string) error {
	if len(words) != 2 || words[0] != check.Fail.String() && words[0] != check.Error.String() {
		return fmt.Errorf("want \"fail ID\" or \"error ID\", got %q", strings.Join(words, " "))
	}
	id, _, _ := strings.Cut(words[1], "@")
	if !slices.ContainsFunc(rules(), func(rule check.Rule) bool { return rule.ID == id }) {
		return fmt.Errorf("no check has the ID %q; remove the line", id)
	}
	if _, twice := b[words[1]]; twice {
		return fmt.Errorf("%s is listed twice; remove one line", words[1])
	}
	b[words[1]] = check.Fail
	if words[0] == check.Error.String() {
		b[words[1]] = check.Error
	}
	return nil
}

// has reports whether the baseline lists the verdict of a result.
func (b baseline) has(result check.Result) bool {
	verdict, listed := b[result.Name()]
	return listed && verdict == result.Verdict
}

// stale returns an error that names the entries whose checks have another verdict now. An entry
// whose check was not run, or was skipped, may still be right.
func (b baseline) stale(found *check.Report) error {
	var gone []string
	for _, result := range found.Results {
		verdict, listed := b[result.Name()]
		if listed && verdict != result.Verdict && result.Verdict != check.Skip {
			gone = append(gone, fmt.Sprintf("%s %s (now %s)", verdict, result.Name(), result.Verdict))
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return fmt.Errorf("these lines are stale; remove them: %s", strings.Join(gone, ", "))
}

// writeBaseline writes the failures, and the checks without a verdict.
func writeBaseline(name string, found *check.Report) error {
	var text strings.Builder
	text.WriteString("# Known failures. Give a reason behind a #, and remove lines that are no longer true.\n")
	for _, result := range found.Results {
		if result.Verdict == check.Fail || result.Verdict == check.Error {
			fmt.Fprintf(&text, "%s %s\n", result.Verdict, result.Name())
		}
	}
	if err := os.WriteFile(name, []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("--write-baseline: %w", err)
	}
	return nil
}
