package catalogue

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// The roles of broken software.
const (
	Server              = "server"
	Client              = "client"
	AuthorizationServer = "authorization-server"
)

// A Fault is one way in which software can be broken. The tests have an implementation for each,
// and prove that the checks catch it.
type Fault struct {
	// Role is the role of the broken software: Server, Client or AuthorizationServer.
	Role string
	// Group has the faults that the tests try together.
	Group string
	// Sentence says what the broken software does, for example "accepts expired tokens".
	Sentence string
	// Checks are the IDs of all checks that go red for software with this fault only. Of
	// MissingParts they are some.
	Checks []string
}

// MissingParts is the group of servers that lack so much that many checks go red.
const MissingParts = "part"

//go:embed faults.tsv
var faults string

var embeddedFaults = sync.OnceValues(func() ([]Fault, error) { return readFaults("faults.tsv", faults) })

// Faults returns the faults of software with a role. It panics if the embedded file has a syntax
// error; the tests of this package read the file.
func Faults(role string) []Fault {
	return faultsWhere(func(fault Fault) bool { return fault.Role == role })
}

// CaughtBy returns the faults that a check catches.
func CaughtBy(ruleID string) []Fault {
	return faultsWhere(func(fault Fault) bool { return slices.Contains(fault.Checks, ruleID) })
}

func faultsWhere(isWanted func(Fault) bool) []Fault {
	all, err := embeddedFaults()
	if err != nil {
		panic(fmt.Errorf("embedded faults: %w", err))
	}
	return slices.DeleteFunc(slices.Clone(all), func(fault Fault) bool { return !isWanted(fault) })
}

// readFaults reads a file of faults. Its errors name the file and the line.
func readFaults(name, text string) ([]Fault, error) {
	var all []Fault
	known := map[string]bool{}
	err := eachLine(name, text, 4, func(columns []string) error {
		fault := Fault{
			Role:     columns[0],
			Group:    columns[1],
			Sentence: columns[2],
			Checks:   strings.Split(columns[3], ","),
		}
		if !slices.Contains([]string{Server, Client, AuthorizationServer}, fault.Role) {
			return fmt.Errorf("want server, client or authorization-server, got %q", fault.Role)
		}
		if fault.Group == "" || fault.Sentence == "" || slices.Contains(fault.Checks, "") {
			return fmt.Errorf("want a group, a sentence and checks, got %q", columns)
		}
		key := fault.Role + " " + fault.Sentence
		if known[key] {
			return fmt.Errorf("want each fault once, got %q again", key)
		}
		known[key] = true
		all = append(all, fault)
		return nil
	})
	return all, err
}
