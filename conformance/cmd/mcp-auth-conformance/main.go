// Mcp-auth-conformance tells whether MCP servers and clients keep the rules of MCP authorization.
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

// errFailed says that a check has failed; what, was printed.
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
		Short: "Check whether MCP servers and clients keep the rules of MCP authorization",
		Long: `Mcp-auth-conformance tries the rules of MCP authorization, and attacks on them, against a
server or a client. Each check has an ID that does not change, and says which sentence it is about.

Exit status: 0 no check failed (warnings are no failures); 1 a check failed; 2 usage, or the
server or client could not be judged: it is dead, or refuses even what is right.`,
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
