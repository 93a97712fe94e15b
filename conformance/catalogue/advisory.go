package catalogue

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// An Advisory is a published report of a weakness in some software. Checks and tests replay it.
type Advisory struct {
	// Names are the IDs of the report, for example CVE-2025-4143, or the issue that describes it.
	Names []string
	// Software had the weakness.
	Software string
	// Sentence states the weakness in our words.
	Sentence string
	// Replays try the weakness.
	Replays []Replay
	// Elsewhere is the reason why nothing replays the advisory. Empty means that something does.
	Elsewhere string
}

// A Replay tries the weakness of an advisory. It is a check or a test.
type Replay struct {
	// Check is the ID of a check that goes red for the weakness.
	Check string
	// Twin is the fault of a broken server or client of this repository that the check catches. It
	// has the weakness.
	Twin string
	// Test is a Go test that tries the weakness at our own software, in place of a check.
	Test string
}

//go:embed advisories.tsv
var advisories string

var embeddedAdvisories = sync.OnceValues(func() ([]Advisory, error) {
	return readAdvisories("advisories.tsv", advisories)
})

// Advisories returns all advisories. It panics if the embedded file has a syntax error; the tests
// of this package read the file.
func Advisories() []Advisory {
	all, err := embeddedAdvisories()
	if err != nil {
		panic(fmt.Errorf("embedded advisories: %w", err))
	}
	return slices.Clone(all)
}

// FindAdvisory returns the advisory with a name, in any letter case.
func FindAdvisory(name string) (Advisory, bool) {
	all := Advisories()
	i := slices.IndexFunc(all, func(advisory Advisory) bool {
		return slices.ContainsFunc(advisory.Names, func(known string) bool { return strings.EqualFold(known, name) })
	})
	if i < 0 {
		return Advisory{}, false
	}
	return all[i], true
}

// ReplayedBy returns the advisories that a check replays.
func ReplayedBy(check string) []Advisory {
	return slices.DeleteFunc(Advisories(), func(advisory Advisory) bool {
		isReplay := func(replay Replay) bool { return replay.Check == check }
		return !slices.ContainsFunc(advisory.Replays, isReplay)
	})
}

// The columns of a file of advisories.
const (
	namesColumn = iota
	softwareColumn
	weaknessColumn
	replaysColumn
	elsewhereColumn
	advisoryColumnCount
)

// isTest reports whether a replay is the name of a Go test.
var isTest = regexp.MustCompile(`^(Test|Fuzz)\w+$`).MatchString

// readAdvisories reads a file of advisories. Its errors name the file and the line.
func readAdvisories(name, text string) ([]Advisory, error) {
	var all []Advisory
	err := eachLine(name, text, advisoryColumnCount, func(columns []string) error {
		advisory := Advisory{
			Names:     strings.Split(columns[namesColumn], ","),
			Software:  columns[softwareColumn],
			Sentence:  columns[weaknessColumn],
			Elsewhere: columns[elsewhereColumn],
		}
		if columns[namesColumn] == "" || advisory.Software == "" || advisory.Sentence == "" {
			return fmt.Errorf("want names, software and a sentence, got %q", columns)
		}
		if columns[replaysColumn] == "" {
			all = append(all, advisory)
			return nil
		}
		for text := range strings.SplitSeq(columns[replaysColumn], "; ") {
			replay, err := readReplay(text)
			if err != nil {
				return err
			}
			advisory.Replays = append(advisory.Replays, replay)
		}
		all = append(all, advisory)
		return nil
	})
	return all, err
}

// readReplay reads the name of a test, or "check = twin".
func readReplay(text string) (Replay, error) {
	if isTest(text) {
		return Replay{Test: text}, nil
	}
	check, twin, ok := strings.Cut(text, " = ")
	if !ok || check == "" || twin == "" {
		return Replay{}, fmt.Errorf("want the name of a test or %q, got %q", "check = twin", text)
	}
	return Replay{Check: check, Twin: twin}, nil
}
