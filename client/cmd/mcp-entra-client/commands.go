package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcpentra/client/internal/console"
)

const usage = "mcp-entra-client [URL] " +
	"[list | describe TOOL | call TOOL [ARGUMENTS] | sign-in | sign-out | accounts]"

const examples = `  mcp-entra-client http://localhost:8000/mcp
  mcp-entra-client http://localhost:8000/mcp list
  mcp-entra-client http://localhost:8000/mcp call get_user_name
  mcp-entra-client https://mcp.example.com/mcp describe search
  mcp-entra-client https://mcp.example.com/mcp call search query=plans limit=5
  mcp-entra-client https://mcp.example.com/mcp call search '{"query": "plans"}'
  mcp-entra-client --account work https://mcp.example.com/mcp list
  mcp-entra-client --client-credentials https://mcp.example.com/mcp list`

// newCommand makes the program's command. Without a verb it prompts for commands.
func newCommand(keys *interrupts) *cobra.Command {
	flags := &flagValues{}
	command := &cobra.Command{
		Use:           usage,
		Short:         "Sign in to a protected MCP server and call its tools",
		Long:          manual,
		Example:       examples,
		Args:          noSuchCommand,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
		RunE: inSession(flags, func(ctx context.Context, session *console.Session, _ []string) error {
			return console.Prompt(ctx, session, console.Streams{
				In:            os.Stdin,
				Out:           os.Stdout,
				Err:           os.Stderr,
				Interruptible: keys.command,
			})
		}),
		SuggestionsMinimumDistance: 2,
	}
	flags.add(command.PersistentFlags())
	command.SetFlagErrorFunc(flagError)
	command.AddCommand(listCommand(flags), describeCommand(flags), callCommand(flags))
	command.AddCommand(signInCommand(flags), signOutCommand(flags), accountsCommand(flags))
	command.CompletionOptions.HiddenDefaultCmd = true
	return command
}

// inSession returns a command that connects to the server and does one thing.
func inSession(
	flags *flagValues, do func(ctx context.Context, session *console.Session, arguments []string) error,
) func(*cobra.Command, []string) error {
	return func(command *cobra.Command, arguments []string) error {
		return connected(command.Context(), flags, func(ctx context.Context, session *console.Session) error {
			return do(ctx, session, arguments)
		})
	}
}

func listCommand(flags *flagValues) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the server's tools",
		Args:  noArguments,
		RunE: inSession(flags, func(ctx context.Context, session *console.Session, _ []string) error {
			return console.List(ctx, session, os.Stdout)
		}),
	}
}

func describeCommand(flags *flagValues) *cobra.Command {
	return &cobra.Command{
		Use:   "describe TOOL",
		Short: "Explain a tool and its parameters",
		Args:  oneTool,
		RunE: inSession(flags, func(ctx context.Context, session *console.Session, arguments []string) error {
			return console.Describe(ctx, session, arguments[0], os.Stdout)
		}),
	}
}

func callCommand(flags *flagValues) *cobra.Command {
	call := inSession(flags, func(ctx context.Context, session *console.Session, arguments []string) error {
		return console.CallWith(ctx, session, arguments[0], arguments[1:], os.Stdout)
	})
	return &cobra.Command{
		Use:   "call TOOL [JSON | NAME=VALUE...]",
		Short: "Call a tool, with its arguments as a JSON object or as NAME=VALUE words",
		Args:  aTool,
		RunE: func(command *cobra.Command, arguments []string) error {
			// Wrong arguments must not start a sign-in.
			if err := console.CheckArguments(arguments[1:]); err != nil {
				return err
			}
			return call(command, arguments)
		},
	}
}

func signInCommand(flags *flagValues) *cobra.Command {
	return &cobra.Command{
		Use:   "sign-in",
		Short: "Sign in if necessary, and do nothing else",
		Args:  noArguments,
		RunE:  inSession(flags, func(context.Context, *console.Session, []string) error { return nil }),
	}
}

func signOutCommand(flags *flagValues) *cobra.Command {
	return &cobra.Command{
		Use:   "sign-out",
		Short: "Revoke the grant at the authorization server, and forget its tokens",
		Args:  noArguments,
		RunE:  func(command *cobra.Command, _ []string) error { return signOut(command.Context(), flags, os.Stdout) },
	}
}

func accountsCommand(flags *flagValues) *cobra.Command {
	return &cobra.Command{
		Use:   "accounts",
		Short: "List the servers and accounts that you are signed in to",
		Args:  noArguments,
		RunE:  func(command *cobra.Command, _ []string) error { return accounts(command.Context(), flags, os.Stdout) },
	}
}

// withURLFlag turns an address among the leading arguments, where people write it, into --url.
func withURLFlag(arguments []string, flags *pflag.FlagSet) []string {
	for i := 0; i < len(arguments); i++ {
		argument := arguments[i]
		name, isFlag := strings.CutPrefix(argument, "--")
		flag := flags.Lookup(name)
		if isFlag && flag != nil && flag.NoOptDefVal == "" {
			i++ // the next argument is the flag's value
			continue
		}
		if isAddress(argument) {
			return slices.Concat(arguments[:i:i], []string{"--url=" + argument}, arguments[i+1:])
		}
		if argument == "call" || argument == "describe" || argument == "--" {
			break
		}
	}
	return arguments
}

// noSuchCommand refuses an unknown command, and suggests the one that was probably meant.
func noSuchCommand(command *cobra.Command, arguments []string) error {
	if len(arguments) == 0 {
		return nil
	}
	if isAddress(arguments[0]) {
		return fmt.Errorf("want the address of one server, got %s as well", arguments[0])
	}
	if meant := command.SuggestionsFor(arguments[0]); len(meant) > 0 {
		return fmt.Errorf("there is no command %q; did you mean %s?", arguments[0], strings.Join(meant, " or "))
	}
	return fmt.Errorf("there is no command %q; the commands are list, describe, call, sign-in, sign-out, accounts "+
		"and help; to call a tool, type: call %s", arguments[0], arguments[0])
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
