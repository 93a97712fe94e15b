package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"mcpentra/conformance/check"
)

// A Difference is a result that two reports have in different forms.
type Difference struct {
	// ID names the check, and Revisions those at which it differs in the same way. Without
	// revisions, the rule was not tried at each.
	ID        string
	Revisions []string
	// Before and After are the verdicts, with the risk of a failure. One is "absent" if its report
	// does not have the result.
	Before string
	After  string
	// Got is the answer of the worst input, or the reason of a check without a verdict.
	Got string
}

// A Comparison has the differences between an old and a new report of one target.
type Comparison struct {
	// Notes say why the reports may differ although the target did not change.
	Notes []string
	// Worse results have a worse verdict, a greater risk or more mismatches. The order of verdicts
	// is pass, skip, note, warn, error, fail. A failure or an error that appears is worse too.
	Worse []Difference
	// Better results are the opposite.
	Better []Difference
	// Unjudged results broke a rule, and now have no verdict. They are neither worse nor better.
	Unjudged []Difference
	// Appeared and Gone results are in one of the reports only.
	Appeared []Difference
	Gone     []Difference

	old, new *Document
}

// absent is the verdict of a result that a report does not have.
const absent = "absent"

// Compare compares two reports. It returns an error if they are about different kinds of targets.
func Compare(old, new *Document) (*Comparison, error) {
	if old.Kind != new.Kind {
		return nil, fmt.Errorf("want two reports of one kind of target, got a report of kind %q and one of kind %q",
			old.Kind, new.Kind)
	}
	comparison := &Comparison{old: old, new: new}
	comparison.note()
	before := namesOf(old)
	after := namesOf(new)
	for i := range new.Results {
		result := &new.Results[i]
		earlier := before.find(result)
		switch {
		case earlier != nil:
			comparison.add(earlier, result)
		case result.Name == result.ID && len(before.byID[result.ID]) > 0:
			for _, earlier := range before.byID[result.ID] {
				comparison.add(earlier, result)
			}
		case result.Verdict == check.Fail.String() || result.Verdict == check.Error.String():
			insert(&comparison.Worse, result, absent, result.state(), result.got())
		default:
			insert(&comparison.Appeared, result, absent, result.state(), "")
		}
	}
	for i := range old.Results {
		result := &old.Results[i]
		if after.find(result) != nil || result.Name == result.ID && len(after.byID[result.ID]) > 0 {
			continue
		}
		list := &comparison.Gone
		if new.Interrupted {
			list = &comparison.Worse // it is not known how the run would have ended
		}
		insert(list, result, result.state(), absent, "")
	}
	return comparison, nil
}

// names finds results by their names.
type names struct {
	byName map[string]*Result
	byID   map[string][]*Result
}

func namesOf(document *Document) names {
	found := names{map[string]*Result{}, map[string][]*Result{}}
	for i := range document.Results {
		result := &document.Results[i]
		found.byName[result.Name] = result
		found.byID[result.ID] = append(found.byID[result.ID], result)
	}
	return found
}

// find returns the result with the name of another. A check that was not tried at any revision has
// one result for all.
func (n names) find(other *Result) *Result {
	if result := n.byName[other.Name]; result != nil {
		return result
	}
	return n.byName[other.ID]
}

// note notes what else differs.
func (c *Comparison) note() {
	differ := func(what, old, new, remark string) {
		if old != new {
			c.Notes = append(c.Notes, fmt.Sprintf("the %s differ: %s, now %s%s", what, line(old), line(new), remark))
		}
	}
	differ("targets", c.old.Target, c.new.Target, "")
	differ("programs", c.old.Program, c.new.Program, "; checks may be new or stricter")
	differ("commands", c.old.Command, c.new.Command, "; they may select other checks, or give other inputs")
	if c.old.Interrupted {
		c.Notes = append(c.Notes, "the old run ended before its last check")
	}
	if c.new.Interrupted {
		c.Notes = append(c.Notes, "the new run ended before its last check; its absent results count as worse")
	}
}

// add sorts a pair of results into its list.
func (c *Comparison) add(old, new *Result) {
	before := old.rank()
	after := new.rank()
	lost := new.Verdict == check.Skip.String() || new.Verdict == check.Error.String()
	mismatches := len(new.Mismatches) + new.Omitted - len(old.Mismatches) - old.Omitted
	switch {
	case old.Verdict == new.Verdict && old.Risk == new.Risk:
		if mismatches > 0 {
			insert(&c.Worse, new, old.inputs(), new.inputs(), new.got())
		} else if mismatches < 0 {
			insert(&c.Better, new, old.inputs(), new.inputs(), new.got())
		}
	case lost && after < before:
		insert(&c.Unjudged, new, old.state(), new.state(), new.got())
	case after > before:
		insert(&c.Worse, new, old.state(), new.state(), new.got())
	default:
		insert(&c.Better, new, old.state(), new.state(), new.got())
	}
}

// rank orders results by verdict and risk. A greater rank is worse.
func (r *Result) rank() int {
	verdicts := []check.Verdict{check.Pass, check.Skip, check.Note, check.Warn, check.Error, check.Fail}
	risks := []check.Severity{"", check.Low, check.Medium, check.High, check.Critical}
	verdict := slices.IndexFunc(verdicts, func(verdict check.Verdict) bool { return verdict.String() == r.Verdict })
	return len(risks)*verdict + slices.Index(risks, r.Risk)
}

// state returns the verdict with the risk.
func (r *Result) state() string {
	if r.Risk == "" {
		return r.Verdict
	}
	return fmt.Sprintf("%s (insecure, %s)", r.Verdict, r.Risk)
}

// inputs returns the state with the number of inputs that break the rule.
func (r *Result) inputs() string {
	return fmt.Sprintf("%s (%s)", r.Verdict, counted(len(r.Mismatches)+r.Omitted, "input"))
}

// got returns the answer of the worst input, or the reason of a check without a verdict.
func (r *Result) got() string {
	if len(r.Mismatches) > 0 {
		return "got " + line(r.Mismatches[0].Got)
	}
	return line(r.Reason)
}

// insert adds a difference to a list. Differences of one rule that differ in the revision only are
// one.
func insert(list *[]Difference, result *Result, before, after, got string) {
	difference := Difference{ID: result.ID, Before: before, After: after, Got: got}
	revision := strings.TrimPrefix(strings.TrimPrefix(result.Name, result.ID), "@")
	if revision != "" {
		difference.Revisions = []string{revision}
	}
	last := len(*list) - 1
	if last >= 0 && revision != "" {
		previous := &(*list)[last]
		isLike := previous.ID == result.ID && previous.Before == before && previous.After == after
		if isLike && len(previous.Revisions) > 0 {
			previous.Revisions = append(previous.Revisions, revision)
			return
		}
	}
	*list = append(*list, difference)
}

// maxLine bounds a text of a report on one line, in bytes.
const maxLine = 200

// line returns a text of a report as one line without control characters.
func line(text string) string {
	return strings.Join(strings.Fields(printable(bounded(text, maxLine))), " ")
}

// Write writes the comparison for people.
func (c *Comparison) Write(out io.Writer) error {
	var text strings.Builder
	for _, note := range c.Notes {
		fmt.Fprintf(&text, "note: %s\n", note)
	}
	fmt.Fprintf(&text, "secure:     %s, now %s (%s)\n",
		c.old.Secure.Answer, c.new.Secure.Answer, line(c.new.Secure.Reason))
	fmt.Fprintf(&text, "conformant: %s, now %s (%s)\n",
		c.old.Conformant.Answer, c.new.Conformant.Answer, line(c.new.Conformant.Reason))
	for _, group := range []struct {
		title       string
		differences []Difference
	}{
		{"worse", c.Worse},
		{"better", c.Better},
		{"no longer judged", c.Unjudged},
		{"new checks", c.Appeared},
		{"checks that are gone", c.Gone},
	} {
		if len(group.differences) == 0 {
			continue
		}
		fmt.Fprintf(&text, "\n%s:\n", group.title)
		for _, difference := range group.differences {
			difference.write(&text)
		}
	}
	fmt.Fprintf(&text, "\n%d worse, %d better, %d no longer judged, %d new, %d gone\n",
		len(c.Worse), len(c.Better), len(c.Unjudged), len(c.Appeared), len(c.Gone))
	_, err := io.WriteString(out, text.String())
	return err
}

// write writes a difference, with the answer below.
func (d *Difference) write(text *strings.Builder) {
	name := line(d.ID)
	if len(d.Revisions) > 0 {
		name += " (" + line(strings.Join(d.Revisions, ", ")) + ")"
	}
	fmt.Fprintf(text, "  %s\n      %s, now %s\n", name, d.Before, d.After)
	if d.Got != "" {
		fmt.Fprintf(text, "      %s\n", d.Got)
	}
}
