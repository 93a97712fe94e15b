package report

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"mcpentra/conformance/check"
)

// Line writes the verdict and the name of a result. Below a failure it adds the details.
func Line(out io.Writer, result check.Result) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%-5s %s\n", result.Verdict, result.Name())
	var mismatch *check.Mismatch
	switch {
	case result.Verdict == check.Pass:
	case result.Verdict == check.Skip:
		fmt.Fprintf(&text, "      %s\n", oneLine(result.Err))
	case result.Verdict != check.Error && errors.As(result.Err, &mismatch):
		fmt.Fprintf(&text, "      want  %s\n      got   %s\n", mismatch.Want, mismatch.Got)
		if result.Insecure() {
			risk := strings.TrimSpace(string(result.Rule.Severity) + " (the bad input had an effect)")
			fmt.Fprintf(&text, "      risk  %s\n", risk)
		}
		fmt.Fprintf(&text, "      rule  %s %s\n", result.Rule.Level, result.Rule.Sentence)
		fmt.Fprintf(&text, "      from  %s\n", result.Rule.Reference)
		for line := range strings.Lines(mismatch.Exchange) {
			text.WriteString("      | " + line)
		}
	default:
		fmt.Fprintf(&text, "      %s\n", oneLine(result.Err))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// Summary writes the last line: the number of results for each verdict.
func Summary(out io.Writer, results []check.Result) error {
	counts := map[check.Verdict]int{}
	insecure := 0
	for _, result := range results {
		counts[result.Verdict]++
		if result.Verdict == check.Fail && result.Insecure() {
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
