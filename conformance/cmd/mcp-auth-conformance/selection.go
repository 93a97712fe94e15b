package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcpentra/conformance/check"
	"mcpentra/conformance/report"
)

// runOptions are the flags of every command that runs checks.
type runOptions struct {
	selected      check.Selection
	levels        []string
	severities    []string
	baseline      string
	writeBaseline string
	reports       reports

	known baseline
	// alike are results that are not printed yet, because the next one may be like them. Print
	// prints them.
	alike []check.Result
	print func()
}

// mostParallel bounds the checks that run at once.
const mostParallel = 64

// addFlags adds the flags to a command. Parallel is the default number of checks that run at once.
func (o *runOptions) addFlags(flags *pflag.FlagSet, parallel int) {
	flags.StringSliceVar(
		&o.selected.IDs,
		"only",
		nil,
		"run only checks whose `ID` is this or begins with it; can be repeated",
	)
	flags.StringSliceVar(
		&o.selected.Except,
		"except",
		nil,
		"do not run checks whose `ID` is this or begins with it; can be repeated",
	)
	flags.StringSliceVar(&o.levels, "level", nil, "run only rules of this `LEVEL`: must, should, policy")
	flags.StringSliceVar(
		&o.severities,
		"severity",
		nil,
		"run only rules against attacks of this `SEVERITY`: critical, high, medium, low",
	)
	flags.StringVar(
		&o.baseline,
		"baseline",
		"",
		"read known failures from `FILE`; only new failures count, and a failure that is gone is an error",
	)
	flags.IntVar(&o.selected.Parallel, "parallel", parallel, "run up to `N` checks at once")
	flags.StringVar(&o.writeBaseline, "write-baseline", "", "write the failures of this run to `FILE`")
	flags.StringArrayVar(
		&o.reports.given,
		"report",
		nil,
		"write a report as `FORMAT=FILE`, with - for standard output; can be repeated; formats: "+formatNames(),
	)
}

// read reads the values of the flags. The rules are all that the command can check.
func (o *runOptions) read(rules []check.Rule) error {
	for _, text := range o.levels {
		level := check.Level(strings.ToUpper(text))
		if strings.EqualFold(text, string(check.Policy)) {
			level = check.Policy
		}
		if level != check.Must && level != check.Should && level != check.Policy {
			return fmt.Errorf("--level: want must, should or policy, got %q", text)
		}
		o.selected.Levels = append(o.selected.Levels, level)
	}
	for _, text := range o.severities {
		severity := check.Severity(strings.ToLower(text))
		switch severity {
		case check.Critical, check.High, check.Medium, check.Low:
		default:
			return fmt.Errorf("--severity: want critical, high, medium or low, got %q", text)
		}
		o.selected.Severities = append(o.selected.Severities, severity)
	}
	if o.selected.Parallel < 1 || o.selected.Parallel > mostParallel {
		return fmt.Errorf("--parallel: want 1 to %d, got %d", mostParallel, o.selected.Parallel)
	}
	if o.baseline != "" && o.writeBaseline != "" {
		return errors.New("--baseline and --write-baseline exclude each other; give one of them")
	}
	if err := o.reports.read(o.baseline, o.writeBaseline); err != nil {
		return err
	}
	if o.baseline != "" {
		known, err := readBaseline(o.baseline)
		if err != nil {
			return fmt.Errorf("--baseline: %w", err)
		}
		o.known = known
	}
	_, err := check.Select(rules, o.selected)
	return err
}

// begin begins a run of a command with arguments, and returns the output for people.
func (o *runOptions) begin(command *cobra.Command, given []string) io.Writer {
	out := o.reports.begin(command, given, o.known)
	o.selected.Progress = o.show(out, command, given)
	return out
}

// show returns a func that prints each result of a run. Results of one rule that differ in the
// revision only get one line.
func (o *runOptions) show(out io.Writer, command *cobra.Command, given []string) func(check.Result) {
	o.print = func() {
		if len(o.alike) > 0 {
			_ = report.LineOfAlike(out, o.alike, repetition(command, given, o.alike[0]))
		}
		o.alike = nil
	}
	return func(result check.Result) {
		isKnown := o.known.has(result)
		if isKnown || len(o.alike) > 0 && !report.Alike(o.alike[0], result) {
			o.print()
		}
		if isKnown {
			fmt.Fprintf(out, "%-5s %s\n      known from the baseline\n", result.Verdict, result.Name())
			return
		}
		o.alike = append(o.alike, result)
		if !result.Rule.EachRevision {
			o.print()
		}
	}
}

// finish prints the summary, writes the reports and returns the outcome of the run.
func (o *runOptions) finish(out io.Writer, found *check.Report) error {
	return o.reports.write(found, o.judge(out, found))
}

// judge prints the summary, and returns the outcome of the run.
func (o *runOptions) judge(out io.Writer, found *check.Report) error {
	if o.print != nil {
		o.print()
	}
	if err := report.Summary(out, found.Results); err != nil {
		return err
	}
	if o.writeBaseline != "" {
		return writeBaseline(o.writeBaseline, found)
	}
	fresh := &check.Report{Target: found.Target}
	for _, result := range found.Results {
		if !o.known.has(result) {
			fresh.Results = append(fresh.Results, result)
		}
	}
	if err := outcome(fresh); err != nil {
		return err
	}
	if err := o.known.stale(found); err != nil {
		return fmt.Errorf("--baseline %s: %w", o.baseline, err)
	}
	return nil
}
