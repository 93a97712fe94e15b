package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"mcpentra/conformance/report"
)

// errWorse means that a comparison has found something worse. Its text names it.
var errWorse = fmt.Errorf("something got worse: %w", errFailed)

func newCompareCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "compare OLD NEW",
		Short: "Compare two JSON reports: what got better or worse",
		Long: `Compare reads two reports that --report json=FILE wrote, and prints what got better or worse.

A result is worse if its verdict is worse, in the order pass, skip, note, warn, error, fail. It is
also worse if a bad input now has an effect or a greater one, or if more inputs break the rule. A
failure or an error that only the new report has is worse. A result that broke a rule and has no
verdict now is neither worse nor better. Results that only the old report has count only if the new
run was interrupted.

Exit status:
  0  nothing got worse
  1  something got worse
  2  a report cannot be read, or they are about different kinds of targets`,
		Example: "  mcp-auth-conformance compare old.json new.json",
		Args:    arguments(2, 2, "the files of an old and a new JSON report"),
		RunE: func(command *cobra.Command, given []string) error {
			old, err := openReport(given[0])
			if err != nil {
				return err
			}
			latest, err := openReport(given[1])
			if err != nil {
				return err
			}
			comparison, err := report.Compare(old, latest)
			if err != nil {
				return err
			}
			if err := comparison.Write(command.OutOrStdout()); err != nil {
				return err
			}
			if len(comparison.Worse) > 0 {
				return errWorse
			}
			return nil
		},
	}
}

// openReport reads a file with a JSON report.
func openReport(name string) (*report.Document, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	document, err := report.ReadJSON(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return document, nil
}
