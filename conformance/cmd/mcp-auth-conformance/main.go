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

	"mcpentra/conformance"
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
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	command.AddCommand(newServerCommand(), newClientCommand(), newOpenCommand(), newListCommand(), newExplainCommand())
	command.CompletionOptions.HiddenDefaultCmd = true
	return command
}

func newListCommand() *cobra.Command {
	long := false
	command := &cobra.Command{
		Use: "list", Short: "List the checks, an ID a line", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			for _, check := range conformance.Checks() {
				if long {
					fmt.Printf("%-50s %-6s %s\n", check.ID, check.Level, check.Sentence)
				} else {
					fmt.Println(check.ID)
				}
			}
			return nil
		},
	}
	command.Flags().BoolVar(&long, "long", false, "with level and rule")
	return command
}

func newExplainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "explain ID", Short: "Say what a check is about", Args: cobra.ExactArgs(1),
		Example: "  mcp-auth-conformance explain server/token/expired",
		RunE: func(_ *cobra.Command, arguments []string) error {
			for _, check := range conformance.Checks() {
				if check.ID != arguments[0] {
					continue
				}
				fmt.Printf("%s\n\n%s\n\nlevel      %s\nfrom       %s\nrevisions  ", check.ID, check.Sentence, check.Level, check.Reference)
				if len(check.Revisions) == 0 {
					fmt.Println("all")
				} else {
					fmt.Println(check.Revisions)
				}
				if len(check.Abilities) > 0 {
					fmt.Printf("needs      abilities of the client: %v\n", check.Abilities)
				}
				if len(check.Needs) > 0 {
					fmt.Printf("needs      tokens: %v\n", check.Needs)
				}
				return nil
			}
			return fmt.Errorf("there is no check %q; list shows them", arguments[0])
		},
	}
}
