// Mcp-auth-conformance tests MCP servers, authorization servers and MCP clients against the rules
// of MCP authorization.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/signin"
)

// Exit statuses.
const (
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
)

// errFailed means that a check failed. The report names it.
var errFailed = errors.New("a check failed")

// outcome returns the error of a run with this report. A failure counts more than a check without a
// verdict. Without a failure, each rule of level MUST needs a verdict.
func outcome(found *check.Report) error {
	var names []string
	for _, result := range found.Results {
		switch {
		case result.Verdict == check.Fail:
			return errFailed
		case result.Verdict == check.Error && result.Rule.Level == check.Must:
			names = append(names, result.Name())
		}
	}
	if len(names) == 0 {
		return nil
	}
	const most = 5
	text := strings.Join(names[:min(most, len(names))], ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return fmt.Errorf("want a verdict for each MUST, but could not judge %s; see the lines marked \"error\"", text)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	err := newCommand().ExecuteContext(ctx)
	var examined errExamined
	if err != nil && !errors.Is(err, errFailed) && !errors.As(err, &examined) {
		fmt.Fprintf(os.Stderr, "mcp-auth-conformance: %v\n", err)
	}
	os.Exit(status(err))
}

// status returns the exit status for an error of the command.
func status(err error) int {
	var refused *signin.Refused
	var examined errExamined
	switch {
	case err == nil:
		return 0
	case errors.As(err, &examined):
		return int(examined)
	case errors.Is(err, errFailed):
		return exitFailed
	case errors.As(err, &refused):
		return exitRefused
	}
	return exitUsage
}

func newCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "mcp-auth-conformance",
		Short: "Test MCP servers, authorization servers and clients against the rules of MCP authorization",
		Long: `Mcp-auth-conformance tests an MCP server, an authorization server or an MCP client against the
rules of MCP authorization, and against attacks on them. Each check has an ID that does not
change, and names its source.

Exit status:
  0  no check failed; warnings and notes are not failures
  1  a check failed
  2  wrong usage, an input that does not work, a stale line in the baseline, the target does
     not answer, or no check failed and a MUST could not be judged
  3  the sign-in was refused, or the server refuses the token of the sign-in`,
		Args:          noSuchCommand,
		Version:       version(),
		RunE:          func(command *cobra.Command, _ []string) error { return command.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	command.SetFlagErrorFunc(flagError)
	command.AddCommand(
		newServerCommand(),
		newIssuerCommand(),
		newClientCommand(),
		newDoctorCommand(),
		newOpenCommand(),
		newListCommand(),
		newExplainCommand(),
		newAADSTSCommand(),
		newCompareCommand(),
	)
	command.CompletionOptions.HiddenDefaultCmd = true
	return command
}
