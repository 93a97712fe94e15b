package official

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

// patience is how long a run of the suite may take; its own timeout for one scenario is 30 s.
const patience = 4 * time.Minute

// Statuses of a check.
const (
	Success = "SUCCESS"
	Failure = "FAILURE"
	Warning = "WARNING"
)

// A Check is what the suite says about one thing.
type Check struct {
	ID          string `json:"id"`
	Status      string `json:"status"`
	Description string `json:"description"`
	Error       string `json:"errorMessage"`
}

// A Run is what the suite found in one go.
type Run struct {
	// Exit is the suite's exit status.
	Exit int
	// Scenarios holds the checks of each scenario that was run.
	Scenarios map[string][]Check
	// Output is what the suite printed.
	Output string
}

// folder is where this file is, and the suite beside it.
func folder() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

// Need skips the test without make interop, which installs the suite, and fails it if the suite is
// not there then.
func Need(t testing.TB) {
	t.Helper()
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("needs Node.js packages: make interop installs them and runs this")
	}
	require.FileExists(t, node(), "npm ci in testdata/interop/official")
	require.FileExists(t, suite(), "npm ci in testdata/interop/official")
}

func node() string { return filepath.Join(folder(), "node_modules/node/bin/node") }

func suite() string {
	return filepath.Join(folder(), "node_modules/@modelcontextprotocol/conformance/dist/index.js")
}

// Command is the suite, to be started by a test that watches it as it runs. Results go to a folder
// of the test.
func Command(ctx context.Context, results string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, node(), append([]string{suite()}, append(arguments, "-o", results)...)...)
	command.Dir = results
	// What the suite starts ends with it.
	command.WaitDelay = 5 * time.Second
	return command
}

// Suite runs the suite to its end. The first argument is the mode.
func Suite(t testing.TB, arguments ...string) *Run {
	t.Helper()
	Need(t)
	results := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := Command(ctx, results, arguments...)
	var output bytes.Buffer
	command.Stdout = &output
	command.Stderr = &output
	err := command.Run()
	require.NotNil(t, command.ProcessState, "%v", err)
	require.NoError(t, ctx.Err(), "the suite did not come to an end\n%s", output.String())
	return Read(t, arguments[0], results, command.ProcessState.ExitCode(), output.String())
}

// resultName is the folder of a scenario's results: its name and a time.
var resultName = regexp.MustCompile(`^(.+)-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d+Z$`)

// prefixes stand before the name in some of the suite's modes.
var prefixes = map[string]string{"server": "server-", "authorization": "authorization-server-"}

// Read reads the results of a run in a mode of the suite: client, server or authorization.
func Read(t testing.TB, mode, results string, exit int, output string) *Run {
	t.Helper()
	run := &Run{Exit: exit, Scenarios: map[string][]Check{}, Output: output}
	err := filepath.WalkDir(results, func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Base(path) != "checks.json" {
			return err
		}
		relative, err := filepath.Rel(results, filepath.Dir(path))
		if err != nil {
			return err
		}
		match := resultName.FindStringSubmatch(filepath.ToSlash(relative))
		if match == nil {
			return fmt.Errorf("%s: not the name of a scenario and a time", relative)
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
	require.NotEmpty(t, run.Scenarios, "the suite ran nothing:\n%s", output)
	return run
}

// Requirements are the scenarios that a revision requires, and those that the suite runs for it
// without scoring them.
type Requirements struct {
	Server    []string `yaml:"server"`
	Client    []string `yaml:"client"`
	NotScored []struct {
		Scenario string `yaml:"scenario"`
		Role     string `yaml:"leg"`
		Reason   string `yaml:"reason"`
	} `yaml:"not_scored"`
}

// Required reads what a revision requires, from the suite's own list.
func Required(t testing.TB, revision string) *Requirements {
	t.Helper()
	Need(t)
	text, err := os.ReadFile(
		filepath.Join(folder(), "node_modules/@modelcontextprotocol/conformance/requirements", revision+".yaml"),
	)
	require.NoError(t, err)
	read := &Requirements{}
	require.NoError(t, yaml.Unmarshal(text, read))
	return read
}

// Passed are those of the scenarios that ran, found something to check, and have no check of the
// statuses that count against them.
func (r *Run) Passed(scenarios []string, against ...string) []string {
	var passed []string
	for _, one := range scenarios {
		checks := r.Scenarios[one]
		good := slices.ContainsFunc(checks, func(c Check) bool { return c.Status == Success })
		bad := slices.ContainsFunc(checks, func(c Check) bool { return slices.Contains(against, c.Status) })
		if good && !bad {
			passed = append(passed, one)
		}
	}
	return passed
}

// Verdicts lists every check of every scenario with its status, to compare two runs with.
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

// Against tells of the checks of the given statuses in some scenarios, for the message of a test
// that fails.
func (r *Run) Against(scenarios []string, statuses ...string) string {
	var lines []string
	for _, name := range scenarios {
		if len(r.Scenarios[name]) == 0 {
			lines = append(lines, name+": nothing was checked")
		}
		for _, check := range r.Scenarios[name] {
			if slices.Contains(statuses, check.Status) {
				lines = append(
					lines,
					fmt.Sprintf("%s: %s %s: %s: %s", name, check.Status, check.ID, check.Description, check.Error),
				)
			}
		}
	}
	return strings.Join(lines, "\n")
}
