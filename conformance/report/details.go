package report

import (
	"fmt"
	"strings"

	"mcpentra/conformance/check"
)

// isBroken reports whether the target breaks the rule.
func (r *Result) isBroken() bool {
	return r.Verdict == check.Fail.String() || r.Verdict == check.Warn.String() || r.Verdict == check.Note.String()
}

// headline says in one line why a result is not a pass.
func (r *Result) headline() string {
	if len(r.Mismatches) == 0 {
		return r.Reason
	}
	text := fmt.Sprintf("want %s, got %s", r.Mismatches[0].Want, r.Mismatches[0].Got)
	return strings.Join(strings.Fields(text), " ")
}

// details says all about a broken rule or a check without a verdict, one fact per line, for formats
// with plain text.
func (r *Result) details() string {
	var text strings.Builder
	line := func(name, fact string) {
		if fact != "" {
			fmt.Fprintf(&text, "%-6s %s\n", name, fact)
		}
	}
	for i, mismatch := range r.Mismatches {
		if i == 0 {
			line("want", mismatch.Want)
			line("got", mismatch.Got)
		} else {
			line("also", fmt.Sprintf("want %s, got %s", mismatch.Want, mismatch.Got))
		}
	}
	if r.Omitted > 0 {
		line("also", fmt.Sprintf("%d more", r.Omitted))
	}
	line("reason", r.Reason)
	if r.Risk != "" {
		line("risk", string(r.Risk)+" (the bad input had an effect)")
	}
	line("rule", string(r.Level)+" "+r.Sentence)
	line("from", r.Reference)
	line("change", r.Change)
	line("again", r.Again)
	if len(r.Mismatches) > 0 {
		text.WriteString(r.Mismatches[0].Exchange)
	}
	return text.String()
}
