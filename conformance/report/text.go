package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"mcpentra/conformance/check"
)

// Line writes the verdict and the name of a result. Below a failure it adds the details, and the
// command that tries the check again, if it is not empty.
func Line(out io.Writer, result check.Result, again string) error {
	return write(out, result, result.Name(), again)
}

// Alike reports whether two results of one rule differ in the revision only.
func Alike(a, b check.Result) bool {
	sameRule := a.Rule.ID == b.Rule.ID && a.Revision != b.Revision
	return sameRule && a.Verdict == b.Verdict && fmt.Sprint(a.Err) == fmt.Sprint(b.Err)
}

// LineOfAlike is Line for results that are alike. It names their revisions, and has the details of
// the first.
func LineOfAlike(out io.Writer, results []check.Result, again string) error {
	if len(results) == 1 {
		return Line(out, results[0], again)
	}
	var revisions []string
	for _, result := range results {
		revisions = append(revisions, string(result.Revision))
	}
	return write(out, results[0], results[0].Rule.ID+" ("+strings.Join(revisions, ", ")+")", again)
}

// write writes a result under a name.
func write(out io.Writer, result check.Result, name, again string) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%-5s %s\n", result.Verdict, name)
	mismatches := result.Mismatches()
	switch {
	case result.Verdict == check.Pass:
	case len(mismatches) > 0:
		writeMismatches(&text, result, mismatches)
	default:
		fmt.Fprintf(&text, "      %s\n", oneLine(result.Err))
	}
	if again != "" && result.Verdict > check.Pass {
		fmt.Fprintf(&text, "      again %s\n", again)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// mostOthers bounds the mismatches besides the worst that a report shows.
const mostOthers = 20

// writeMismatches writes the details below a result, the worst mismatch first.
func writeMismatches(text *strings.Builder, result check.Result, mismatches []*check.Mismatch) {
	worst := mismatches[0]
	fmt.Fprintf(text, "      want  %s\n      got   %s\n", worst.Want, worst.Got)
	for i, other := range mismatches[1:] {
		if i == mostOthers {
			fmt.Fprintf(text, "      also  %d more\n", len(mismatches)-1-mostOthers)
			break
		}
		fmt.Fprintf(text, "      also  want %s, got %s\n", other.Want, other.Got)
	}
	if result.Severity() != "" {
		fmt.Fprintf(text, "      risk  %s (the bad input had an effect)\n", result.Severity())
	}
	fmt.Fprintf(text, "      rule  %s %s\n", cmp.Or(worst.Level, result.Rule.Level), result.Rule.Sentence)
	fmt.Fprintf(text, "      from  %s\n", result.Rule.Reference)
	for line := range strings.Lines(worst.Exchange) {
		text.WriteString("      | " + line)
	}
}

// Summary writes the last line: the number of results for each verdict.
func Summary(out io.Writer, results []check.Result) error {
	counts := map[check.Verdict]int{}
	insecure := 0
	for _, result := range results {
		counts[result.Verdict]++
		if result.Verdict == check.Fail && result.Severity() != "" {
			insecure++
		}
	}
	_, err := fmt.Fprintf(
		out,
		"%d passed, %d failed (%d insecure), %d warned, %d noted, %d skipped, %d errors\n",
		counts[check.Pass],
		counts[check.Fail],
		insecure,
		counts[check.Warn],
		counts[check.Note],
		counts[check.Skip],
		counts[check.Error],
	)
	return err
}

// oneLine returns the first line of an error.
func oneLine(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}
