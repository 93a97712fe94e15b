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

// A File is what a directory file holds.
type File struct {
	Tenants []Tenant      `yaml:"tenants"`
	Faults  []fault.Fault `yaml:"faults"`
}

// Directory is the directory of the file.
func (f *File) Directory() Directory { return Directory{Tenants: f.Tenants} }

// Example is a directory file with every key that there is, each explained.
//
//go:embed example.yaml
var Example string

// How large a directory file may be, and how many of its mistakes are told.
const (
	MaxFile     = 4 << 20 // bytes
	maxProblems = 20
)

// A Mistake is something wrong in a directory file, and where.
type Mistake struct {
	File string
	Line int // from 1; 0 when it is about the whole file
	Err  error
}

func (m *Mistake) Error() string {
	text := strings.TrimPrefix(strings.TrimPrefix(m.Err.Error(), "directory: "), "fault: ")
	if m.Line == 0 {
		return m.File + ": " + text
	}
	return m.File + ":" + strconv.Itoa(m.Line) + ": " + text
}

// Unwrap is what is wrong.
func (m *Mistake) Unwrap() error { return m.Err }

// Parse reads a directory file, which is YAML (or JSON, which is YAML, too). IDs that are left out
// are made from names, the same in every run; members of groups, holders of assignments and
// subjects of policies may be given by name. The error joins a Mistake for each thing that is
// wrong; name is what they call the file.
func Parse(name string, text []byte) (*File, error) {
	if len(text) > MaxFile {
		return nil, &Mistake{File: name, Err: fmt.Errorf("want at most %d bytes, got %d", MaxFile, len(text))}
	}
	root, err := parseYAML(text)
	if err != nil {
		return nil, &Mistake{name, lineOf(err), err}
	}
	r := &reading{lines: map[string]int{}}
	var file File
	r.read(root, "", &file)
	if len(r.wrong) == 0 {
		file.complete()
		d := file.Directory()
		r.wrong = d.problems()
		for i := range file.Faults {
			if err := file.Faults[i].Check(); err != nil {
				r.add(fmt.Sprintf("faults[%d]", i), err)
			}
		}
	}
	var mistakes []error
	for _, one := range r.wrong {
		mistakes = append(mistakes, &Mistake{name, r.line(one.path), one.err})
	}
	slices.SortStableFunc(mistakes, func(a, b error) int { return a.(*Mistake).Line - b.(*Mistake).Line })
	if len(mistakes) > maxProblems {
		mistakes = append(mistakes[:maxProblems], fmt.Errorf("%s: and %d more", name, len(mistakes)-maxProblems))
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	return &file, nil
}

// parseYAML reads one document. An empty one is an empty mapping.
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
