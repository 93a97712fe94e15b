package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcpentra/conformance/catalogue"
	"mcpentra/conformance/check"
	"mcpentra/conformance/report"
)

// standardOutput is the file name of standard output.
const standardOutput = "-"

// A reportFile is a value of --report.
type reportFile struct {
	format report.Format
	name   string // as given
	path   string // of the file that is replaced; empty if the name is written to directly
}

// reports are the reports of one run.
type reports struct {
	given []string // the values of --report
	files []reportFile

	run      report.Run
	out      io.Writer // standard output
	problems io.Writer // standard error
	people   io.Writer // one of these
	unmute   string    // ends what muteCommands begins
}

// read reads the values of --report. It refuses what could not be written at the end of the run.
func (r *reports) read(others ...string) error {
	for _, value := range r.given {
		file, err := readReportFile(value)
		if err != nil {
			return err
		}
		for _, earlier := range r.files {
			if sameFile(earlier.name, file.name) {
				return fmt.Errorf("--report %s: another report goes to that file; give each report its own", value)
			}
		}
		for _, other := range others {
			if other != "" && sameFile(other, file.name) {
				return fmt.Errorf("--report %s: the file is the baseline; give the report its own", value)
			}
		}
		r.files = append(r.files, file)
	}
	return nil
}

// readReportFile reads a value of --report.
func readReportFile(value string) (reportFile, error) {
	format, name, found := strings.Cut(value, "=")
	if !found {
		return reportFile{}, fmt.Errorf("--report: want FORMAT=FILE, for example json=report.json, got %q", value)
	}
	formats := reportFormats()
	i := slices.IndexFunc(formats, func(known report.Format) bool { return known.Name == format })
	if i < 0 {
		return reportFile{}, fmt.Errorf("--report: want one of the formats %s, got %q", formatNames(), format)
	}
	if name == "" {
		return reportFile{}, fmt.Errorf("--report %s: want a file after the =, or - for standard output", value)
	}
	file := reportFile{format: formats[i], name: name}
	if err := file.open(); err != nil {
		return reportFile{}, fmt.Errorf("--report %s: %w", value, err)
	}
	return file, nil
}

// reportFormats returns the formats of --report.
func reportFormats() []report.Format { return append(report.Formats(), report.Format{Name: github}) }

// formatNames lists the formats.
func formatNames() string {
	var names []string
	for _, format := range reportFormats() {
		names = append(names, format.Name)
	}
	return strings.Join(names, ", ")
}

// open finds the file that the report will replace, and tries whether it can. Devices and pipes are
// written to directly.
func (f *reportFile) open() error {
	if f.name == standardOutput {
		return nil
	}
	info, err := os.Stat(f.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.path = f.name
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("want a file, got a folder")
	case !info.Mode().IsRegular() || strings.HasPrefix(f.name, "/dev/"):
		return nil
	default:
		f.path, err = filepath.EvalSymlinks(f.name)
		if err != nil {
			return err
		}
		existing, err := os.OpenFile(f.path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		if err := existing.Close(); err != nil || f.format.Name == github {
			return err
		}
	}
	temporary, err := f.temporary()
	if err != nil {
		return fmt.Errorf("want a folder in which files can be made: %w", err)
	}
	return errors.Join(temporary.Close(), os.Remove(temporary.Name()))
}

// temporary makes a file beside the report's.
func (f *reportFile) temporary() (*os.File, error) {
	return os.CreateTemp(filepath.Dir(f.path), ".report-*")
}

// sameFile reports whether two names are of one file. The file need not exist.
func sameFile(a, b string) bool {
	if a == standardOutput || b == standardOutput {
		return a == b
	}
	first, errA := os.Stat(a)
	second, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return os.SameFile(first, second)
	}
	return resolved(a) == resolved(b)
}

// resolved returns the path of a file that may not exist yet.
func resolved(name string) string {
	folder, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err != nil {
		return name
	}
	absolute, err := filepath.Abs(filepath.Join(folder, filepath.Base(name)))
	if err != nil {
		return name
	}
	return absolute
}

// begin begins a run of a command with arguments. It returns the output for people, which is
// standard error if a report goes to standard output.
func (r *reports) begin(command *cobra.Command, given []string, known baseline) io.Writer {
	r.out = command.OutOrStdout()
	r.problems = command.ErrOrStderr()
	r.run = report.Run{
		Kind:    command.Name(),
		Program: version(),
		Command: invocation(command, given),
		Began:   time.Now(),
		Again:   func(result check.Result) string { return repetition(command, given, result) },
		IsKnown: known.has,
		Change: func(id string) string {
			fix, _ := catalogue.FixFor(id)
			return fix.Change
		},
	}
	r.people = r.out
	forGitHub := false
	for _, file := range r.files {
		switch {
		case file.format.Name == github:
			forGitHub = true
		case file.name == standardOutput:
			r.people = r.problems
		}
	}
	if forGitHub {
		r.unmute = muteCommands(r.people)
	}
	return r.people
}

// document makes the document of a run. An interrupted run ended before its last check.
func (r *reports) document(found *check.Report, isInterrupted bool) *report.Document {
	r.run.Target = withoutValue(found.Target)
	r.run.Duration = time.Since(r.run.Began)
	r.run.Interrupted = isInterrupted
	return report.New(r.run, found.Results)
}

// write writes all reports of a run, and returns its outcome. A report that cannot be written is an
// error, but a failed check counts more.
func (r *reports) write(document *report.Document, outcome error) error {
	if r.unmute != "" {
		fmt.Fprint(r.people, r.unmute)
	}
	for _, file := range r.files {
		err := r.writeFile(file, document)
		if err == nil {
			continue
		}
		err = fmt.Errorf("--report %s=%s: %w", file.format.Name, file.name, err)
		if outcome == nil {
			outcome = err
		} else {
			fmt.Fprintf(r.problems, "mcp-auth-conformance: %v\n", err)
		}
	}
	return outcome
}

// ended returns the error of a run that ended before its first check. It says that no report is
// written, if the command asks for one.
func (r *reports) ended(err error) error {
	if len(r.files) == 0 {
		return err
	}
	if r.unmute != "" {
		fmt.Fprint(r.people, r.unmute)
	}
	return fmt.Errorf("%w; no report is written, because no check was run", err)
}

// writeFile writes one report.
func (r *reports) writeFile(file reportFile, document *report.Document) error {
	if file.format.Name != github {
		return file.write(r.out, document)
	}
	if err := report.WriteAnnotations(r.people, document); err != nil || file.name == standardOutput {
		return err
	}
	return writeSummary(file.name, document)
}

// write writes a document. The file has its old content or all of the new.
func (f *reportFile) write(out io.Writer, document *report.Document) error {
	if f.name == standardOutput {
		return f.format.Write(out, document)
	}
	if f.path == "" {
		device, err := os.OpenFile(f.name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(f.format.Write(device, document), device.Close())
	}
	temporary, err := f.temporary()
	if err != nil {
		return err
	}
	const everyoneReads = 0o644
	err = errors.Join(f.format.Write(temporary, document), temporary.Chmod(everyoneReads), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}
