package catalogue

import (
	"fmt"
	"slices"
	"strings"

	"mcpentra/conformance/check"
)

// The columns of a file of entries.
const (
	idColumn = iota
	levelColumn
	severityColumn
	revisionsColumn
	sentenceColumn
	reasonColumn
	columnCount
)

// partly begins a reason that concerns only a part of an entry.
const partly = "partly: "

// readEntries reads a file of entries. Its errors name the file and the line.
func readEntries(name, text string, reasons map[string]string) ([]Entry, error) {
	var entries []Entry
	err := eachLine(name, text, columnCount, func(columns []string) error {
		entry := Entry{
			ID:       columns[idColumn],
			Level:    check.Level(columns[levelColumn]),
			Severity: check.Severity(columns[severityColumn]),
			Sentence: columns[sentenceColumn],
		}
		if !slices.Contains([]check.Level{check.Must, check.Should, check.Policy, May, Attack}, entry.Level) {
			return fmt.Errorf("want the level MUST, SHOULD, MAY, policy or attack, got %q", entry.Level)
		}
		severities := []check.Severity{"", check.Critical, check.High, check.Medium, check.Low}
		if !slices.Contains(severities, entry.Severity) {
			return fmt.Errorf("want the severity critical, high, medium or low, got %q", entry.Severity)
		}
		if entry.ID == "" || entry.Sentence == "" {
			return fmt.Errorf("want an ID and a sentence, got %q and %q", entry.ID, entry.Sentence)
		}
		if columns[revisionsColumn] != "" {
			for revision := range strings.SplitSeq(columns[revisionsColumn], ",") {
				if !slices.Contains(check.Revisions(), check.Revision(revision)) {
					return fmt.Errorf("want revisions of %v, got %q", check.Revisions(), revision)
				}
				entry.Revisions = append(entry.Revisions, check.Revision(revision))
			}
		}
		if reason := columns[reasonColumn]; reason != "" {
			if reasons[reason] == "" {
				return fmt.Errorf("want a reason of reasons.tsv, got %q", reason)
			}
			leftOut, isPart := strings.CutPrefix(reasons[reason], partly)
			if isPart {
				entry.LeftOut = leftOut
			} else {
				entry.Elsewhere = reasons[reason]
			}
		}
		entries = append(entries, entry)
		return nil
	})
	return entries, err
}

// readReasons reads a file of reasons by name.
func readReasons(name, text string) (map[string]string, error) {
	reasons := map[string]string{}
	err := eachLine(name, text, 2, func(columns []string) error {
		if columns[0] == "" || columns[1] == "" || reasons[columns[0]] != "" {
			return fmt.Errorf("want a new name and a reason, got %q and %q", columns[0], columns[1])
		}
		reasons[columns[0]] = columns[1]
		return nil
	})
	return reasons, err
}

// eachLine splits each line into its columns. It skips comments, which begin with #.
func eachLine(name, text string, count int, read func(columns []string) error) error {
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(line, "\t")
		if len(columns) != count {
			return fmt.Errorf("%s:%d: want %d columns, separated by tabs, got %d", name, number, count, len(columns))
		}
		for i := range columns {
			if columns[i] == "-" {
				columns[i] = ""
			}
		}
		if err := read(columns); err != nil {
			return fmt.Errorf("%s:%d: %w", name, number, err)
		}
	}
	return nil
}
