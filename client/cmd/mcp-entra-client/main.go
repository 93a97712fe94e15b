// Mcp-entra-client signs in to a protected MCP server and calls its tools.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcpentra/client"
	"mcpentra/client/internal/console"
)

// Exit statuses.
const (
	exitTool   = 1 // the tool answered with an error
	exitUsage  = 2 // usage, set-up, or the server cannot be talked to
	exitSignIn = 3 // sign-in needed or refused
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx, end := context.WithCancel(ctx)
	defer end()
	keys := &interrupts{}
	go keys.watch(end)
	command := newCommand(keys)
	command.SetArgs(withURLFlag(os.Args[1:], command.PersistentFlags()))
	err := command.ExecuteContext(ctx)
	if err == nil {
		return
	}
	var told *console.CommandError
	if !errors.As(err, &told) {
		tell(err)
	}
	os.Exit(status(err))
}

// status is the exit status for an error.
func status(err error) int {
	var tool *console.ErrTool
	var signIn *client.SignInError
	switch {
	case errors.As(err, &tool):
		return exitTool
	case errors.As(err, &signIn):
		return exitSignIn
	}
	return exitUsage
}

// tell writes an error, in which there may be text of a server.
func tell(err error) {
	var tool *console.ErrTool
	if errors.As(err, &tool) {
		fmt.Fprintln(os.Stderr, tool.Text)
		return
	}
	fmt.Fprintln(os.Stderr, "mcp-entra-client: "+console.Printable(err.Error()))
}

// withURLFlag turns an address that stands among the leading arguments, where people write it,
// into --url.
func withURLFlag(arguments []string, flags *pflag.FlagSet) []string {
	for i := 0; i < len(arguments); i++ {
		argument := arguments[i]
		if flag := flags.Lookup(strings.TrimPrefix(argument, "--")); strings.HasPrefix(argument, "--") && flag != nil &&
			flag.NoOptDefVal == "" {
			i++ // what follows is its value
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

func newCommand(keys *interrupts) *cobra.Command {
	flags := &flagValues{}
	command := &cobra.Command{
		Use:   "mcp-entra-client [URL] [list | describe TOOL | call TOOL [ARGUMENTS] | sign-in | sign-out | accounts]",
		Short: "Sign in to a protected MCP server and call its tools",
		Long:  manual,
		Example: `  mcp-entra-client http://localhost:8000/mcp
  mcp-entra-client http://localhost:8000/mcp list
  mcp-entra-client http://localhost:8000/mcp call get_user_name
  mcp-entra-client https://mcp.example.com/mcp describe search
  mcp-entra-client https://mcp.example.com/mcp call search query=plans limit=5
  mcp-entra-client https://mcp.example.com/mcp call search '{"query": "plans"}'
  mcp-entra-client --account work https://mcp.example.com/mcp list
  mcp-entra-client --client-credentials https://mcp.example.com/mcp list`,
		Args:         noSuchCommand,
		SilenceUsage: true,

		SuggestionsMinimumDistance: 2,
		SilenceErrors:              true,
		Version:                    version(),
		RunE: func(command *cobra.Command, _ []string) error {
			return connected(command.Context(), flags, func(ctx context.Context, session *console.Session) error {
				return console.Prompt(ctx, session, console.Streams{
					In:            os.Stdin,
					Out:           os.Stdout,
					Err:           os.Stderr,
					Interruptible: keys.command,
				})
			})
		},
	}
	flags.add(command.PersistentFlags())
	command.SetFlagErrorFunc(flagError)
	command.AddCommand(&cobra.Command{
		Use:   "list",
		Short: "List the server's tools",
		Args:  noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			return connected(command.Context(), flags, func(ctx context.Context, session *console.Session) error {
				return console.List(ctx, session, os.Stdout)
			})
		},
	}, &cobra.Command{
		Use:   "describe TOOL",
		Short: "Tell what a tool does and takes",
		Args:  oneTool,
		RunE: func(command *cobra.Command, arguments []string) error {
			return connected(command.Context(), flags, func(ctx context.Context, session *console.Session) error {
				return console.Describe(ctx, session, arguments[0], os.Stdout)
			})
		},
	}, &cobra.Command{
		Use:   "call TOOL [JSON | NAME=VALUE...]",
		Short: "Call a tool, with its arguments as a JSON object or as NAME=VALUE words",
		Args:  aTool,
		RunE: func(command *cobra.Command, arguments []string) error {
			if err := console.CheckArguments(arguments[1:]); err != nil {
				return err // before a person signs in for it
			}
			return connected(command.Context(), flags, func(ctx context.Context, session *console.Session) error {
				return console.CallWith(ctx, session, arguments[0], arguments[1:], os.Stdout)
			})
		},
	}, &cobra.Command{
		Use:   "sign-in",
		Short: "Sign in, if need be, and do nothing else",
		Args:  noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			return connected(command.Context(), flags, func(context.Context, *console.Session) error { return nil })
		},
	}, &cobra.Command{
		Use:   "sign-out",
		Short: "Revoke what the authorization server has given, and forget it",
		Args:  noArguments,
		RunE:  func(command *cobra.Command, _ []string) error { return signOut(command.Context(), flags, os.Stdout) },
	}, &cobra.Command{
		Use:   "accounts",
		Short: "List the servers and accounts that you are signed in to",
		Args:  noArguments,
		RunE:  func(command *cobra.Command, _ []string) error { return accounts(command.Context(), flags, os.Stdout) },
	})
	command.CompletionOptions.HiddenDefaultCmd = true
	return command
}

// noSuchCommand says what was probably meant, since the verbs are few.
func noSuchCommand(command *cobra.Command, arguments []string) error {
	if len(arguments) == 0 {
		return nil
	}
	if isAddress(arguments[0]) {
		return fmt.Errorf("one server is enough, got the address %s as well", arguments[0])
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

// finish waits a little for a token that is on its way, so that Ctrl-C does not cost a sign-in.
func finish(under *client.Transport) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = under.Finish(ctx) // what has not come by now is lost
}

// connected connects, signing in if need be, and does one thing.
func connected(ctx context.Context, flags *flagValues, do func(context.Context, *console.Session) error) error {
	set, err := flags.settings()
	if err != nil {
		return err
	}
	config, closeAll, err := set.config(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	out := io.Writer(os.Stderr)
	if flags.quiet {
		out = io.Discard
	}
	steps := console.NewSteps(out, flags.noBrowser)
	var signingIn atomic.Bool
	config.Trace = func(event client.Event) {
		_, byHand := event.(client.BrowserFailed)
		if flags.quiet && (byHand || flags.noBrowser || flags.paste || flags.deviceCode) {
			console.TellPerson(os.Stderr, event)
		}
		switch event.(type) {
		case client.Challenged:
			signingIn.Store(true)
		case client.Issued:
			signingIn.Store(false)
		}
		steps.Trace(event)
		if issued, ok := event.(client.Issued); ok && !issued.Refreshed && set.kept != "" {
			steps.Step(set.kept)
		}
	}
	if flags.typed != config.Server {
		taken := fmt.Sprintf("%s is read as %s", flags.typed, config.Server)
		fmt.Fprintln(out, console.Printable(taken))
	}
	options := console.Options{
		Revision:    flags.revision,
		Version:     version(),
		Extensions:  set.extensions,
		Elicitation: flags.elicitation,
	}
	session, end, err := connect(ctx, config, options)
	var elsewhere *addressError
	if errors.As(err, &elsewhere) && isOrigin(config.Server) && sameHost(config.Server, elsewhere.endpoint) {
		// The person named the origin alone, and the origin says where its endpoint is.
		fmt.Fprintln(out, console.Printable(elsewhere.text)+"; it is tried now")
		config.Server = elsewhere.endpoint
		session, end, err = connect(ctx, config, options)
	}
	switch {
	case err == nil:
	case ctx.Err() != nil && signingIn.Load():
		return &client.SignInError{Err: errors.New("interrupted before it was finished")}
	case ctx.Err() != nil:
		return errors.New("interrupted")
	default:
		return err
	}
	defer end()
	steps.Connected(session)
	err = do(ctx, session)
	var told *console.CommandError
	if err != nil && ctx.Err() != nil && !errors.As(err, &told) {
		return errors.New("interrupted")
	}
	return err
}

// connect signs in if need be, and explains what keeps it from a connection. End is nil with an
// error.
func connect(ctx context.Context, config client.Config, options console.Options) (*console.Session, func(), error) {
	under, err := client.New(config)
	if err != nil {
		return nil, nil, explainURL(config.Server, err)
	}
	session, err := console.Connect(ctx, config.Server, under, options)
	if err != nil {
		finish(under)
		return nil, nil, explain(ctx, config, err)
	}
	end := func() {
		session.Close()
		finish(under)
	}
	return session, end, nil
}
