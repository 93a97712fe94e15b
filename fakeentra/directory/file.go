package directory

import (
	_ "embed" // the example
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"mcpentra/fakeentra/fault"
)

// A File is the contents of a directory file.
type File struct {
	Tenants       []Tenant      `yaml:"tenants"`
	Resources     []App         `yaml:"resources"`
	GraphPageSize int           `yaml:"graphPageSize"`
	Faults        []fault.Fault `yaml:"faults"`
	// Differences are for the tests of fakeentra verify. See Directory.
	Differences []string `yaml:"differences"`

	warnings []error `yaml:"-"`
}

// Directory returns the directory in the file.
func (f *File) Directory() Directory {
	return Directory{
		Tenants:       f.Tenants,
		Resources:     f.Resources,
		GraphPageSize: f.GraphPageSize,
		Differences:   f.Differences,
	}
}

// Example is a directory file with every key, each with an explanation.
//
//go:embed example.yaml
var Example string

const (
	// MaxFile bounds the size of a directory file in bytes.
	MaxFile = 4 << 20
	// maxProblems bounds the mistakes in one error.
	maxProblems = 20
)

// A Mistake is a mistake in a directory file.
type Mistake struct {
	File string
	Line int // from 1; 0 means the whole file
	Err  error
}

func (m *Mistake) Error() string {
	text := strings.TrimPrefix(strings.TrimPrefix(m.Err.Error(), "directory: "), "fault: ")
	if m.Line == 0 {
		return m.File + ": " + text
	}
	return m.File + ":" + strconv.Itoa(m.Line) + ": " + text
}

// Unwrap returns the error without its place.
func (m *Mistake) Unwrap() error { return m.Err }

// Parse reads a directory file in YAML or JSON. It derives missing IDs from names, so they are the
// same in every run. Groups, assignments and policies may refer to users, groups and apps by name.
// The error joins a Mistake for each mistake, and calls the file by the name given.
func Parse(name string, text []byte) (*File, error) {
	if len(text) > MaxFile {
		return nil, &Mistake{File: name, Err: fmt.Errorf("want at most %d bytes, got %d", MaxFile, len(text))}
	}
	root, err := parseYAML(text)
	if err != nil {
		return nil, &Mistake{name, lineOf(err), err}
	}
	r := &reader{lines: map[string]int{}}
	var file File
	r.read(root, "", &file)
	if len(r.wrong) == 0 {
		file.complete()
		d := file.Directory()
		found := d.inspect()
		r.wrong = found.wrong
		for _, doubt := range found.doubts {
			file.warnings = append(file.warnings, &Mistake{name, r.line(doubt.path), doubt.err})
		}
		for i := range file.Faults {
			if err := file.Faults[i].Check(); err != nil {
				r.add(fmt.Sprintf("faults[%d]", i), err)
			}
		}
	}
	var mistakes []error
	for _, problem := range r.wrong {
		mistakes = append(mistakes, &Mistake{name, r.line(problem.path), problem.err})
	}
	slices.SortStableFunc(mistakes, func(a, b error) int { return a.(*Mistake).Line - b.(*Mistake).Line })
	if rest := len(mistakes) - maxProblems; rest > 0 {
		mistakes = append(mistakes[:maxProblems], fmt.Errorf("%s: and %d more mistakes", name, rest))
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	return &file, nil
}

// parseYAML reads one document. An empty document counts as an empty mapping.
func parseYAML(text []byte) (root *yaml.Node, err error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, errors.New(strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", " "), "yaml: "))
	}
	if len(document.Content) == 0 {
		return &yaml.Node{Kind: yaml.MappingNode, Line: 1}, nil
	}
	return document.Content[0], nil
}

var lineNumber = regexp.MustCompile(`line (\d+)`)

// lineOf finds the line in an error of the YAML parser.
func lineOf(err error) int {
	if match := lineNumber.FindStringSubmatch(err.Error()); match != nil {
		line, _ := strconv.Atoi(match[1]) // digits
		return line
	}
	return 0
}
