package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"mcpentra/conformance/check"
)

// A Terminal writes results as they come, and a summary at the end.
type Terminal struct {
	Out io.Writer
	// Colours marks verdicts with the colours of ANSI terminals.
	Colours bool
	// Again returns the command that repeats the check of a result. Nil means none.
	Again func(check.Result) string
	// Change returns the change that mends a broken rule, by the ID of the check. Nil means none.
	Change func(id string) string
	// IsKnown reports whether a baseline lists the verdict of a result. Nil means none.
	IsKnown func(check.Result) bool

	topic string
	// alike are results that are not written yet, because the next one may be like them.
	alike []check.Result
	err   error
}

// Add writes a result below the heading of its topic. Results of one rule that differ in the
// revision only get one line, so Add may hold a result back until the next Add or Flush.
func (t *Terminal) Add(result check.Result) {
	isKnown := t.IsKnown != nil && t.IsKnown(result)
	if isKnown || len(t.alike) > 0 && !areAlike(t.alike[0], result) {
		t.Flush()
	}
	if isKnown {
		t.begin(result)
		t.line(result.Verdict, result.Name())
		t.detail("", "known from the baseline")
		return
	}
	t.alike = append(t.alike, result)
	if !result.Rule.EachRevision {
		t.Flush()
	}
}

// Flush writes the results that Add has held back. The error is the first of all writes.
func (t *Terminal) Flush() error {
	if len(t.alike) > 0 {
		t.write(t.alike)
	}
	t.alike = nil
	return t.err
}

// areAlike reports whether two results of one rule differ in the revision only.
func areAlike(a, b check.Result) bool {
	sameRule := a.Rule.ID == b.Rule.ID && a.Revision != b.Revision
	return sameRule && a.Verdict == b.Verdict && fmt.Sprint(a.Err) == fmt.Sprint(b.Err)
}

// topicOf returns the first two segments of an ID.
func topicOf(id string) string {
	segments := strings.SplitN(id, "/", 3)
	return strings.Join(segments[:min(len(segments), 2)], "/")
}

// begin writes the heading of a topic before its first result.
func (t *Terminal) begin(result check.Result) {
	topic := topicOf(result.Rule.ID)
	if topic == t.topic {
		return
	}
	if t.topic != "" {
		t.print("\n")
	}
	t.topic = topic
	t.print(t.bold(topic) + "\n")
}

// write writes results that are alike. It names their revisions, and has the details of the first.
func (t *Terminal) write(results []check.Result) {
	result := results[0]
	name := result.Name()
	if len(results) > 1 {
		var revisions []string
		for _, other := range results {
			revisions = append(revisions, string(other.Revision))
		}
		name = result.Rule.ID + " (" + strings.Join(revisions, ", ") + ")"
	}
	t.begin(result)
	t.line(result.Verdict, name)
	mismatches := result.Mismatches()
	switch {
	case result.Verdict == check.Pass:
	case len(mismatches) > 0:
		t.mismatches(result, mismatches)
	default:
		t.detail("", oneLine(result.Err))
	}
	if t.Again != nil && result.Verdict > check.Pass {
		t.detail("again", t.Again(result))
	}
}

// mostOthers bounds the mismatches besides the worst that the terminal shows.
const mostOthers = 20

// mismatches writes the details below a result, the worst mismatch first.
func (t *Terminal) mismatches(result check.Result, mismatches []*check.Mismatch) {
	worst := mismatches[0]
	t.detail("want", worst.Want)
	t.detail("got", worst.Got)
	for i, other := range mismatches[1:] {
		if i == mostOthers {
			t.detail("also", fmt.Sprintf("%d more", len(mismatches)-1-mostOthers))
			break
		}
		t.detail("also", fmt.Sprintf("want %s, got %s", other.Want, other.Got))
	}
	if result.Severity() != "" {
		t.detail("risk", string(result.Severity())+" (the bad input had an effect)")
	}
	t.detail("rule", string(cmp.Or(worst.Level, result.Rule.Level))+" "+result.Rule.Sentence)
	t.detail("from", result.Rule.Reference)
	for line := range strings.Lines(worst.Exchange) {
		t.print(indent + t.dim("| "+strings.TrimSuffix(line, "\n")) + "\n")
	}
	if t.Change != nil {
		if change := t.Change(result.Rule.ID); change != "" {
			t.detail("change", change)
		}
	}
}

// indent stands before each line below a result.
const indent = "      "

// line writes the first line of a result.
func (t *Terminal) line(verdict check.Verdict, name string) {
	t.print(t.coloured(verdict, fmt.Sprintf("%-5s", verdict)) + " " + name + "\n")
}

// detail writes a named line below a result.
func (t *Terminal) detail(name, text string) {
	if name != "" {
		name = t.dim(fmt.Sprintf("%-6s", name)) + " "
	}
	t.print(indent + name + text + "\n")
}

// print writes a text. After an error it writes nothing.
func (t *Terminal) print(text string) {
	if t.err == nil {
		_, t.err = io.WriteString(t.Out, text)
	}
}

// oneLine returns the first line of an error.
func oneLine(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}
