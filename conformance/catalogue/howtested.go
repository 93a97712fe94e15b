package catalogue

import (
	_ "embed"
	"fmt"
	"sync"
)

//go:embed tests.tsv
var howTested string

var embeddedTests = sync.OnceValues(func() (map[string]string, error) {
	return readTests("tests.tsv", howTested)
})

// HowTested says in one to three sentences how a check is tested. It returns "" for an unknown
// check. It panics if the embedded file has a syntax error; the tests of this package read the
// file.
func HowTested(ruleID string) string { return allTests()[ruleID] }

// Tested returns the IDs of all checks with a description.
func Tested() []string {
	var ids []string
	for id := range allTests() {
		ids = append(ids, id)
	}
	return ids
}

func allTests() map[string]string {
	all, err := embeddedTests()
	if err != nil {
		panic(fmt.Errorf("embedded descriptions of tests: %w", err))
	}
	return all
}

// readTests reads a file of descriptions. Its errors name the file and the line.
func readTests(name, text string) (map[string]string, error) {
	all := map[string]string{}
	err := eachLine(name, text, 2, func(columns []string) error {
		id := columns[0]
		sentences := columns[1]
		if id == "" || sentences == "" {
			return fmt.Errorf("want an ID and sentences, got %q", columns)
		}
		if all[id] != "" {
			return fmt.Errorf("want each check once, got %s again", id)
		}
		all[id] = sentences
		return nil
	})
	return all, err
}
