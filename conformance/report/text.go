package report

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"mcpentra/conformance/check"
)

// Line writes one result: a line, and below it what a reader needs who wants to mend a failure.
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
			fmt.Fprintf(
				&text,
				"      risk  %s\n",
				strings.TrimSpace(string(result.Rule.Severity)+" (what has to be refused had an effect)"),
			)
		}
		fmt.Fprintf(
			&text,
			"      rule  %s %s\n      from  %s\n",
			result.Rule.Level,
			result.Rule.Sentence,
			result.Rule.Reference,
		)
		for line := range strings.Lines(mismatch.Exchange) {
			text.WriteString("      | " + line)
		}
	default:
		fmt.Fprintf(&text, "      %s\n", oneLine(result.Err))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// Summary writes the closing line.
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

func oneLine(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}
