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
	var text strings.Builder
	fmt.Fprintf(&text, "%-5s %s\n", result.Verdict, result.Name())
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
