package client_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients"
)

// built holds the paths of the programs that "make build" makes.
type built struct{ client, checks string }

func buildPrograms(t *testing.T) built {
	t.Helper()
	bin := os.Getenv("MCPENTRA_PROGRAMS") // make test has built them
	if bin != "" {
		return builtIn(bin)
	}
	bin = t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin+string(filepath.Separator),
		"./cmd/mcp-entra-client", "../conformance/cmd/mcp-auth-conformance")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return builtIn(bin)
}

func builtIn(bin string) built {
	return built{
		client: filepath.Join(bin, "mcp-entra-client"),
		checks: filepath.Join(bin, "mcp-auth-conformance"),
	}
}

// shownCommand returns README.md's command line for checking the client, from the client's name on.
func shownCommand(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if _, command, found := strings.Cut(line, "mcp-auth-conformance client -- "); found {
			words := strings.Fields(command)
			require.Equal(t, "bin/mcp-entra-client", words[0])
			return words
		}
	}
	require.Fail(t, "README.md shows no command line for the client")
	return nil
}

// TestProgramConforms runs client checks on the built program, with the command line in README.md.
// commandFor adds the flags that single checks need. TestConformance tries the same code with every
// check, so here each check that needs an ability runs, and every eighth of the others. With
// CONFORMANCE=full in the environment, as in make race, every check runs.
func TestProgramConforms(t *testing.T) {
	t.Parallel()
	programs := buildPrograms(t)
	shown := shownCommand(t)
	shown[0] = programs.client
	target := clients.Target{
		Name: "mcp-entra-client",
		Run: func(ctx context.Context, task clients.Task) error {
			words, err := commandFor(task, shown)
			if err != nil {
				return err
			}
			err = clients.Command(words, []string{programs.checks, "open"})(ctx, task)
			if !task.SignOut {
				return err
			}
			signOut := []string{programs.client, "--quiet", "--url", "{url}", "sign-out"}
			return errors.Join(err, clients.Command(signOut, []string{"false"})(ctx, task))
		},
		Abilities:  clients.Abilities(),
		Revisions:  check.Revisions(),
		Document:   []byte(document),
		HTTPClient: hostDocument(t),
		Timeout:    time.Minute,
	}
	for i, check := range clients.Checks() {
		isOptional := len(check.Abilities) == 0 && check.ID != slowCheck && i%8 != 0
		if isOptional && os.Getenv("CONFORMANCE") != "full" {
			continue
		}
		adapted := target
		if check.ID == slowCheck {
			adapted.Second = shortSecond
		}
		clients.Test(t, adapted, check.ID)
	}
}

// slowCheck waits for a minute. Here its seconds are quarters: the program gives up sooner, and so
// does the check. A busy machine still has time to start the program.
const (
	slowCheck   = "client/limit/slow"
	shortSecond = time.Second / 4
)

// commandFor adds a task's flags to a command line, as a person would type them.
func commandFor(task clients.Task, shown []string) ([]string, error) {
	program := shown[0]
	rest := shown[1:]
	if task.Calls > 1 {
		// Only the prompt calls a tool several times in one session.
		script := `for i in $(seq "$3"); do echo "call $2"; done | "$0" --quiet --url "$1"`
		return []string{"sh", "-c", script, program, "{url}", "{tool}", fmt.Sprint(task.Calls)}, nil
	}
	var flags []string
	if task.Check == slowCheck {
		flags = append(flags, "--request-timeout", (15 * shortSecond).String())
	}
	if slices.Contains(abilitiesOf(task.Check), clients.ClientDocument) {
		flags = append(flags, "--client-metadata-url", documentURL)
	}
	file := func(flag, text string) error {
		name := filepath.Join(task.State, strings.TrimLeft(flag, "-"))
		flags = append(flags, flag, name)
		return os.WriteFile(name, []byte(text), 0o600)
	}
	var err error
	switch {
	case task.Device:
		flags = append(flags, "--device-code")
	case task.Machine && task.ClientKey != "":
		flags = append(flags, "--client-credentials")
		err = file("--client-key-file", task.ClientKey)
	case task.Machine:
		flags = append(flags, "--client-credentials")
	case task.Enterprise != nil:
		flags = append(flags, "--idp-client-id", task.Enterprise.ClientID, "--idp-issuer", task.Enterprise.Issuer)
		err = file("--id-token-file", task.Enterprise.IDToken)
	}
	return slices.Concat([]string{program}, flags, rest), err
}

// abilitiesOf returns the abilities that a check needs.
func abilitiesOf(id string) []clients.Ability {
	for _, check := range clients.Checks() {
		if check.ID == id {
			return check.Abilities
		}
	}
	return nil
}

// TestChecksJudgeProgram runs the built checks on the built program, as a person does.
func TestChecksJudgeProgram(t *testing.T) {
	t.Parallel()
	programs := buildPrograms(t)
	judge := func(arguments ...string) (string, int) {
		run := exec.CommandContext(t.Context(), programs.checks, append([]string{"client"}, arguments...)...)
		run.Env = append(os.Environ(), "MCP_URL=")
		run.Dir = t.TempDir()
		out, err := run.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			require.NoError(t, err)
		}
		return string(out), run.ProcessState.ExitCode()
	}
	command := shownCommand(t)
	command[0] = programs.client
	only := []string{"--only", "client/flow", "--only", "client/open/shell", "--only", "client/tools/header"}
	text, status := judge(slices.Concat(only, []string{"--supports", "kept-state", "--"}, command)...)
	assert.Equal(t, 0, status, "%s", text)
	assert.Contains(t, text, " 0 failed (0 insecure), 0 warned, 0 noted, 0 skipped, 0 errors")

	text, status = judge("--only", "client/pkce/s256", "--revision", "2025-11-25", "--", "true")
	assert.Equal(t, 2, status, "a command that does nothing gets no verdict: %s", text)
	text, status = judge("--supports", "magic", "--", "true")
	assert.Equal(t, 2, status)
	assert.Contains(t, text, `there is no ability "magic"`)
}
