package facts

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"mcpentra/testdata/entra"
)

// A Request is a request of the list.
type Request struct {
	Name   string            `yaml:"name"`
	Tier   int               `yaml:"tier"`
	URL    string            `yaml:"url"`
	Header map[string]string `yaml:"header"`
	Form   map[string]string `yaml:"form"`
	// Save names the members of the answer that become variables, by the name of the variable.
	Save map[string]string `yaml:"save"`
	// Poll repeats the request while a person has not signed in.
	Poll bool `yaml:"poll"`
}

// A Confidence is the confidence in a fact: H, M or L.
type Confidence string

// The confidences.
const (
	High   Confidence = "H"
	Medium Confidence = "M"
	Low    Confidence = "L"
)

// A Fact is a fact about the answer to a request.
type Fact struct {
	Request    string
	Aspect     string
	Confidence Confidence
	Source     string
	// Want is the masked value.
	Want string
}

// Name returns the name of the fact.
func (f Fact) Name() string { return f.Request + ": " + f.Aspect }

// Requests returns the requests in their order.
func Requests() ([]Request, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(entra.Requests))
	decoder.KnownFields(true)
	var requests []Request
	if err := decoder.Decode(&requests); err != nil {
		return nil, fmt.Errorf("facts: requests.yaml: %w", err)
	}
	return requests, nil
}

// columns is the number of columns of facts.tsv.
const columns = 5

// All returns the facts in the order of the file.
func All() ([]Fact, error) {
	var all []Fact
	for i, line := range strings.Split(strings.TrimSuffix(entra.Facts, "\n"), "\n") {
		cells := strings.Split(line, "\t")
		if len(cells) != columns {
			return nil, fmt.Errorf("facts: facts.tsv:%d: want %d columns, got %d", i+1, columns, len(cells))
		}
		if i == 0 {
			continue // the names of the columns
		}
		all = append(all, Fact{
			Request:    cells[0],
			Aspect:     cells[1],
			Confidence: Confidence(cells[2]),
			Source:     cells[3],
			Want:       cells[4],
		})
	}
	return all, nil
}

var variable = regexp.MustCompile(`\{([a-z_]+)\}`)

// Fill replaces the variables of a text. The error names a variable that has no value.
func Fill(text string, values map[string]string) (string, error) {
	missing := ""
	filled := variable.ReplaceAllStringFunc(text, func(name string) string {
		value, found := values[strings.Trim(name, "{}")]
		if !found || value == "" {
			missing = strings.Trim(name, "{}")
		}
		return value
	})
	if missing != "" {
		return "", &MissingError{missing}
	}
	return filled, nil
}

// A MissingError says that a variable has no value.
type MissingError struct{ Variable string }

func (e *MissingError) Error() string {
	return "there is no " + strings.ReplaceAll(e.Variable, "_", " ")
}
