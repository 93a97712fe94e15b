package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcpentra/conformance/check"
)

// runOptions are the flags of every command that runs checks.
type runOptions struct {
	selected      check.Selection
	levels        []string
	severities    []string
	baseline      string
	writeBaseline string
	reports       reports

	colours string

	known  baseline
	screen *screen
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
	flags.StringVar(
		&o.colours,
		"color",
		"auto",
		"use colours: auto, always or never; auto means at a terminal, and not if NO_COLOR is set",
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
	if !slices.Contains([]string{"auto", "always", "never"}, o.colours) {
		return fmt.Errorf("--color: want auto, always or never, got %q", o.colours)
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

// begin begins a run of a command with arguments, and shows its results as they come.
func (o *runOptions) begin(command *cobra.Command, given []string) {
	out := o.reports.begin(command, given, o.known)
	o.screen = openScreen(out, command.ErrOrStderr(), o.colours)
	o.screen.terminal.Again = o.reports.run.Again
	o.screen.terminal.Change = o.reports.run.Change
	o.screen.terminal.IsKnown = o.known.has
	o.selected.Progress = o.screen.add
	o.selected.Ended = o.screen.ended
}

// finish ends a run that has ended with an error or nil. It prints the summary, writes the reports
// and returns the outcome. Extra prints what else the summary needs, before it; it may be nil.
func (o *runOptions) finish(found *check.Report, ended error, extra func(io.Writer)) error {
	o.screen.close()
	if found == nil {
		return o.reports.ended(ended)
	}
	document := o.reports.document(found, ended != nil)
	if err := o.screen.terminal.Flush(); err != nil {
		return err
	}
	if extra != nil && ended == nil {
		extra(o.screen.out)
	}
	if err := o.screen.terminal.Summary(document); err != nil {
		return err
	}
	if ended != nil {
		return o.reports.write(document, ended)
	}
	return o.reports.write(document, o.judge(found))
}

// judge returns the outcome of a run.
func (o *runOptions) judge(found *check.Report) error {
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
