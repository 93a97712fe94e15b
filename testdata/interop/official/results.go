package official

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Statuses of a check.
const (
	Success = "SUCCESS"
	Failure = "FAILURE"
	Warning = "WARNING"
)

// A Check is one verdict of the suite.
type Check struct {
	ID          string `json:"id"`
	Status      string `json:"status"`
	Description string `json:"description"`
	Error       string `json:"errorMessage"`
}

// A Run holds the results of one run of the suite.
type Run struct {
	// Exit is the suite's exit status.
	Exit int
	// Scenarios holds the checks of each scenario that was run.
	Scenarios map[string][]Check
	// Output is the suite's output, and then its reasons for failures and warnings.
	Output string
}

// resultName is the folder of a scenario's results: its name and a time.
var resultName = regexp.MustCompile(`^(.+)-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d+Z$`)

// prefixes precede a scenario's name in some of the suite's modes.
var prefixes = map[string]string{"server": "server-", "authorization": "authorization-server-"}

// Read reads the results of a run in a mode of the suite: client, server or authorization.
func Read(t testing.TB, mode, results string, exit int, output string) *Run {
	t.Helper()
	run := &Run{Exit: exit, Scenarios: map[string][]Check{}, Output: output}
	err := filepath.WalkDir(results, func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Base(path) != "checks.json" {
			return err
		}
		folder, err := filepath.Rel(results, filepath.Dir(path))
		if err != nil {
			return err
		}
		match := resultName.FindStringSubmatch(filepath.ToSlash(folder))
		if match == nil {
			return fmt.Errorf("want the name of a scenario and a time as the folder, got %s", folder)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var checks []Check
		if err := json.Unmarshal(text, &checks); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		run.Scenarios[strings.TrimPrefix(match[1], prefixes[mode])] = checks
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, run.Scenarios, "the suite ran no scenario:\n%s", output)
	run.Output += run.Against(slices.Sorted(maps.Keys(run.Scenarios)), Failure, Warning)
	return run
}

// Passed returns the scenarios that passed: they have a successful check, and no check of a status
// in against.
func (r *Run) Passed(scenarios []string, against ...string) []string {
	var passed []string
	for _, scenario := range scenarios {
		checks := r.Scenarios[scenario]
		hasSuccess := slices.ContainsFunc(checks, func(c Check) bool { return c.Status == Success })
		hasFailure := slices.ContainsFunc(checks, func(c Check) bool { return slices.Contains(against, c.Status) })
		if hasSuccess && !hasFailure {
			passed = append(passed, scenario)
		}
	}
	return passed
}

// Verdicts lists every check of every scenario with its status, so that two runs can be compared.
func (r *Run) Verdicts() []string {
	var verdicts []string
	for name, checks := range r.Scenarios {
		for _, check := range checks {
			verdicts = append(verdicts, name+" "+check.ID+" "+check.Status)
		}
	}
	slices.Sort(verdicts)
	return verdicts
}

// Against describes the checks of scenarios that have one of the statuses, for the message of a
// failing test.
func (r *Run) Against(scenarios []string, statuses ...string) string {
	var lines []string
	for _, name := range scenarios {
		if len(r.Scenarios[name]) == 0 {
			lines = append(lines, name+": the suite ran no check")
		}
		for _, check := range r.Scenarios[name] {
			if slices.Contains(statuses, check.Status) {
				line := fmt.Sprintf("%s: %s %s: %s: %s", name, check.Status, check.ID, check.Description, check.Error)
				lines = append(lines, line)
			}
		}
	}
	return strings.Join(lines, "\n")
}
