package report

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"mcpentra/conformance/engine"
)

// Line writes one result: a line, and below it what a reader needs who wants to mend a failure.
func Line(out io.Writer, result engine.Result) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%-5s %s\n", result.Verdict, result.Name())
	var mismatch *engine.Mismatch
	switch {
	case result.Verdict == engine.Pass:
	case result.Verdict == engine.Skip:
		fmt.Fprintf(&text, "      %s\n", oneLine(result.Err))
	case result.Verdict != engine.Error && errors.As(result.Err, &mismatch):
		fmt.Fprintf(&text, "      want  %s\n      got   %s\n", mismatch.Want, mismatch.Got)
		if result.Insecure() {
			fmt.Fprintf(&text, "      risk  %s\n", strings.TrimSpace(string(result.Check.Severity)+" (what has to be refused had an effect)"))
		}
		fmt.Fprintf(&text, "      rule  %s %s\n      from  %s\n", result.Check.Level, result.Check.Sentence, result.Check.Reference)
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
func Summary(out io.Writer, results []engine.Result) error {
	counts := map[engine.Verdict]int{}
	insecure := 0
	for _, result := range results {
		counts[result.Verdict]++
		if result.Verdict == engine.Fail && result.Insecure() {
			insecure++
		}
	}
	_, err := fmt.Fprintf(out, "%d passed, %d failed (%d insecure), %d warned, %d noted, %d skipped, %d errors\n",
		counts[engine.Pass], counts[engine.Fail], insecure, counts[engine.Warn], counts[engine.Note], counts[engine.Skip], counts[engine.Error])
	return err
}

func oneLine(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}
