package aadsts

import (
	_ "embed" // the catalogue
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Confidence says how well a fact about Entra ID is known.
type Confidence string

const (
	High   Confidence = "H"
	Medium Confidence = "M"
	Low    Confidence = "L"
)

// Words returns the confidence in words.
func (c Confidence) Words() string {
	switch c {
	case High:
		return "recorded, or documented and confirmed by reports"
	case Medium:
		return "documented or reported, never recorded"
	}
	return "from memory: number and cause are right, the error code may be wrong"
}

// An Entry is an error in the catalogue.
type Entry struct {
	Number     int
	Code       string // the OAuth error code
	Status     int    // HTTP status of the JSON answer
	Sentence   string // with %s for each value that an answer names
	Confidence Confidence

	suberror string
	page     bool // always a page at the authorization endpoint
	noURI    bool // without error_uri
}

// catalogue has a line for each error: number, confidence, status, code, suberror, form and
// sentence, separated by tabs. A hyphen means nothing. To add an error, add a line here and in
// testdata/entra/errors.json, and a function in answers.go if the fake answers with it.
//
//go:embed catalogue.tsv
var catalogue string

// entries is the catalogue by number.
var entries = sync.OnceValue(func() map[int]Entry {
	all, err := read(catalogue)
	if err != nil {
		panic(fmt.Sprintf("aadsts: catalogue.tsv: %v", err)) // our own file
	}
	return all
})

// read parses a catalogue. Lines that begin with # are comments.
func read(text string) (map[int]Entry, error) {
	all := map[int]Entry{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		entry, err := readEntry(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, line)
		}
		if _, found := all[entry.Number]; found {
			return nil, fmt.Errorf("the number %d appears twice", entry.Number)
		}
		all[entry.Number] = entry
	}
	return all, nil
}

func readEntry(line string) (Entry, error) {
	fields := strings.Split(line, "\t")
	if len(fields) != 7 {
		return Entry{}, fmt.Errorf("want 7 fields, got %d", len(fields))
	}
	number, err := strconv.Atoi(fields[0])
	if err != nil {
		return Entry{}, fmt.Errorf("want a number, got %q", fields[0])
	}
	status, err := strconv.Atoi(fields[2])
	if err != nil {
		return Entry{}, fmt.Errorf("want a status, got %q", fields[2])
	}
	forms := strings.Fields(fields[5])
	entry := Entry{
		Number:     number,
		Confidence: Confidence(fields[1]),
		Status:     status,
		Code:       fields[3],
		Sentence:   fields[6],
		page:       slices.Contains(forms, "page"),
		noURI:      slices.Contains(forms, "no-uri"),
	}
	if fields[4] != "-" {
		entry.suberror = fields[4]
	}
	return entry, nil
}

// Catalogue returns every known error, by number.
func Catalogue() []Entry {
	return slices.SortedFunc(maps.Values(entries()), func(a, b Entry) int { return a.Number - b.Number })
}

// Lookup finds an entry by its number.
func Lookup(number int) (Entry, bool) {
	entry, found := entries()[number]
	return entry, found
}

// Find makes an error from its number. The values in its sentence are replaced by an ellipsis.
func Find(number int) (*Error, bool) {
	entry, found := Lookup(number)
	if !found {
		return nil, false
	}
	return entry.error(), true
}

// error fills the values into the sentence. Missing values become an ellipsis.
func (e Entry) error(values ...string) *Error {
	arguments := make([]any, strings.Count(e.Sentence, "%s"))
	for i := range arguments {
		arguments[i] = "…"
		if i < len(values) {
			arguments[i] = values[i]
		}
	}
	return &Error{
		Number:       e.Number,
		Code:         e.Code,
		Status:       e.Status,
		Message:      fmt.Sprintf(e.Sentence, arguments...),
		NoErrorURI:   e.noURI,
		Unredirected: e.page,
		Suberror:     e.suberror,
	}
}

// from makes an error from a number that is in the catalogue.
func from(number int, values ...string) *Error {
	entry, found := entries()[number]
	if !found {
		panic(fmt.Sprintf("aadsts: %d is not in the catalogue", number))
	}
	return entry.error(values...)
}
