package report

import (
	"cmp"
	"fmt"
	"slices"

	"mcpentra/conformance/check"
)

// mostListed bounds the failures that a summary names, so that it fits on one screen.
const mostListed = 7

// Summary writes the end of a run, which fits on a screen of 24 lines: whether the target is secure
// and whether it conforms, the figures of each role and revision, the worst failures, and one line
// with the numbers of all verdicts.
func (t *Terminal) Summary(document *Document) error {
	if err := t.Flush(); err != nil {
		return err
	}
	if len(document.Results) > 0 {
		t.print("\n")
	}
	t.judgement("secure", document.Secure)
	t.judgement("conformant", document.Conformant)
	t.scores(document.Scores)
	t.worst(document.Results)
	counts := document.Counts
	t.print(fmt.Sprintf(
		"\n%d passed, %d failed (%d insecure), %d warned, %d noted, %d skipped, %d errors\n",
		counts.Pass,
		counts.Fail,
		counts.Insecure,
		counts.Warn,
		counts.Note,
		counts.Skip,
		counts.Error,
	))
	return t.err
}

// judgement writes the answer to one question.
func (t *Terminal) judgement(question string, judgement Judgement) {
	answer := t.in(answerColours[judgement.Answer], fmt.Sprintf("%-8s", judgement.Answer))
	t.print(fmt.Sprintf("%s %s %s\n", t.bold(fmt.Sprintf("%-12s", question)), answer, judgement.Reason))
}

// scores writes a table with a line for each role and revision. One line would only repeat the
// judgements.
func (t *Terminal) scores(scores []Score) {
	if len(scores) < 2 {
		return
	}
	t.print("\n" + t.dim(fmt.Sprintf(
		"%-21s %-11s %-8s %-11s %6s %6s %6s %6s",
		"role", "revision", "secure", "conformant", "pass", "fail", "warn", "skip",
	)) + "\n")
	for _, score := range scores {
		t.print(fmt.Sprintf(
			"%-21s %-11s %s %s %6d %6d %6d %6d\n",
			score.Role,
			score.Revision,
			t.in(answerColours[score.Secure.Answer], fmt.Sprintf("%-8s", score.Secure.Answer)),
			t.in(answerColours[score.Conformant.Answer], fmt.Sprintf("%-11s", score.Conformant.Answer)),
			score.Counts.Pass,
			score.Counts.Fail,
			score.Counts.Warn,
			score.Counts.Skip,
		))
	}
}

// worst names the failures, those with the greatest risk first. A rule that is broken at several
// revisions is named once.
func (t *Terminal) worst(results []Result) {
	risks := []check.Severity{"", check.Low, check.Medium, check.High, check.Critical}
	named := map[string]bool{}
	var failed []Result
	for _, result := range results {
		if result.Verdict == check.Fail.String() && !result.Known && !named[result.ID] {
			named[result.ID] = true
			failed = append(failed, result)
		}
	}
	slices.SortStableFunc(failed, func(a, b Result) int {
		return cmp.Compare(slices.Index(risks, b.Risk), slices.Index(risks, a.Risk))
	})
	if len(failed) > 0 {
		t.print("\n")
	}
	for i, result := range failed {
		if i == mostListed {
			t.print(fmt.Sprintf("and %d more\n", len(failed)-i))
			break
		}
		t.print(fmt.Sprintf("%s %-8s %s\n", t.coloured(check.Fail, "fail "), cmp.Or(result.Risk, "-"), result.ID))
	}
}
