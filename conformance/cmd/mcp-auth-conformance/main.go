// Mcp-auth-conformance tests MCP servers and clients against the rules of MCP authorization.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitFailed = 1
	exitUsage  = 2
)

// errFailed means that a check failed. The report names it.
var errFailed = errors.New("a check failed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	err := newCommand().ExecuteContext(ctx)
	switch {
	case err == nil:
	case errors.Is(err, errFailed):
		os.Exit(exitFailed)
	default:
		fmt.Fprintf(os.Stderr, "mcp-auth-conformance: %v\n", err)
		os.Exit(exitUsage)
	}
}

func newCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "mcp-auth-conformance",
		Short: "Test MCP servers and clients against the rules of MCP authorization",
		Long: `Mcp-auth-conformance tests a server or a client against the rules of MCP authorization, and
against attacks on them. Each check has an ID that does not change, and names its source.

Exit status: 0 no check failed (warnings are not failures); 1 a check failed; 2 usage error, or
a check could not be completed, for example because the target is unreachable or also refuses
correct requests.`,
		Args:          noSuchCommand,
		Version:       version(),
		RunE:          func(command *cobra.Command, _ []string) error { return command.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	command.SetFlagErrorFunc(flagError)
	command.AddCommand(newServerCommand(), newClientCommand(), newOpenCommand(), newListCommand(), newExplainCommand())
	command.CompletionOptions.HiddenDefaultCmd = true
	return command
}
