// Mcp-entra-client signs in to a protected MCP server and calls its tools.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/joho/godotenv"
	"github.com/spf13/cobra"

	"mcpentra/client"
	"mcpentra/client/console"
	"mcpentra/client/signin"
)

// Exit statuses.
const (
	exitTool   = 1 // the tool answered with an error
	exitUsage  = 2 // usage, set-up, or the server cannot be talked to
	exitSignIn = 3 // sign-in needed or refused
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	command := newCommand()
	command.SetArgs(withURLFlag(os.Args[1:]))
	err := command.ExecuteContext(ctx)
	if err == nil {
		return
	}
	var tool *console.ErrTool
	var signIn *client.SignInError
	switch {
	case errors.As(err, &tool):
		fmt.Fprintln(os.Stderr, tool.Text)
		os.Exit(exitTool)
	case errors.As(err, &signIn):
		tell(err)
		os.Exit(exitSignIn)
	}
	tell(err)
	os.Exit(exitUsage)
}

// tell writes an error, in which there may be text of a server.
func tell(err error) {
	fmt.Fprintln(os.Stderr, "mcp-entra-client: "+console.Printable(err.Error()))
}

// withURLFlag turns a URL that stands among the leading arguments, where people write it, into --url.
func withURLFlag(arguments []string) []string {
	for i, argument := range arguments {
		if strings.HasPrefix(argument, "http://") || strings.HasPrefix(argument, "https://") {
			if i > 0 && (arguments[i-1] == "--url" || arguments[i-1] == "call") {
				return arguments
			}
			return slices.Concat(arguments[:i:i], []string{"--url=" + argument}, arguments[i+1:])
		}
		if argument == "call" || argument == "--" {
			break
		}
	}
	return arguments
}

type flagValues struct {
	url, revision, caFile, envFile string
	scopes                         []string
	noBrowser, quiet               bool
	timeout                        time.Duration
}

func newCommand() *cobra.Command {
	var flags flagValues
	command := &cobra.Command{
		Use:   "mcp-entra-client [URL] [list | call TOOL [JSON]]",
		Short: "Sign in to a protected MCP server and call its tools",
		Long: `Mcp-entra-client connects to an MCP server of any of the four revisions. If the server asks
for it, it signs you in: it finds the authorization server, registers there, opens your browser
and waits for the answer on this machine. Each step is printed to standard error, numbered, and
never with a token in it. What a tool answers goes to standard output.

Without a verb it prompts for commands: list, call <tool> [json], help, quit.

It reads these from the environment or from .env, and nothing else:

  MCP_URL             the server, when none is given
  MCP_CLIENT_ID       a client ID that the authorization server has given you, and
  MCP_CLIENT_SECRET   its secret, if it has one; without an ID the program registers itself
  MCP_REDIRECT_URI    where to wait for the answer (http://localhost/callback, any free port)
  BROWSER             the command that opens a page; split into words, never run by a shell

Exit status: 0 fine; 1 the tool answered with an error; 2 usage, set-up, or the server cannot be
reached; 3 a sign-in was needed and was refused, interrupted or not finished in time.`,
		Example: `  mcp-entra-client http://localhost:8000/mcp
  mcp-entra-client http://localhost:8000/mcp list
  mcp-entra-client http://localhost:8000/mcp call get_user_name
  mcp-entra-client https://mcp.example.com/mcp call search '{"query": "plans"}'`,
		Args:         noSuchCommand,
		SilenceUsage: true,

		SuggestionsMinimumDistance: 2,
		SilenceErrors:              true,
		Version:                    version(),
		RunE: func(command *cobra.Command, _ []string) error {
			return connected(command.Context(), flags, func(ctx context.Context, session *console.Session) error {
				return console.Prompt(ctx, session, os.Stdin, os.Stdout)
			})
		},
	}
	set := command.PersistentFlags()
	set.SortFlags = false
	set.StringVar(&flags.url, "url", "", "the MCP server's `URL` (MCP_URL); can be given without the flag")
	set.BoolVar(&flags.noBrowser, "no-browser", false, "print the authorization page's address and wait, without opening a browser")
	set.DurationVar(&flags.timeout, "timeout", 5*time.Minute, "how long to wait for the person at the browser")
	set.StringSliceVar(&flags.scopes, "scope", nil, "ask for this scope besides those that the server names; can be repeated")
	set.StringVar(&flags.revision, "protocol-version", "", "speak this `REVISION` of MCP and no other: "+strings.Join(console.Revisions(), ", "))
	set.StringVar(&flags.caFile, "ca-file", "", "trust the certificate authorities of this PEM `FILE` too")
	set.StringVar(&flags.envFile, "env", ".env", "read settings from `FILE`")
	set.BoolVar(&flags.quiet, "quiet", false, "do not print the steps (the page's address still is, with --no-browser)")
	command.AddCommand(&cobra.Command{
		Use: "list", Short: "List the server's tools", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return connected(command.Context(), flags, func(ctx context.Context, session *console.Session) error {
				return console.List(ctx, session, os.Stdout)
			})
		},
	}, &cobra.Command{
		Use: "call TOOL [JSON]", Short: "Call a tool, with its arguments as a JSON object", Args: cobra.RangeArgs(1, 2),
		RunE: func(command *cobra.Command, arguments []string) error {
			json := ""
			if len(arguments) == 2 {
				json = arguments[1]
			}
			if _, err := console.ReadArguments(json); err != nil {
				return err // before anybody signs in for it
			}
			return connected(command.Context(), flags, func(ctx context.Context, session *console.Session) error {
				return console.Call(ctx, session, arguments[0], json, os.Stdout)
			})
		},
	})
	command.CompletionOptions.HiddenDefaultCmd = true
	return command
}

// noSuchCommand says what was probably meant, since the verbs are few.
func noSuchCommand(command *cobra.Command, arguments []string) error {
	if len(arguments) == 0 {
		return nil
	}
	if meant := command.SuggestionsFor(arguments[0]); len(meant) > 0 {
		return fmt.Errorf("there is no command %q; did you mean %s?", arguments[0], strings.Join(meant, " or "))
	}
	return fmt.Errorf("there is no command %q; the commands are list, call and help", arguments[0])
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// connected connects, signing in if need be, and does one thing.
func connected(ctx context.Context, flags flagValues, do func(context.Context, *console.Session) error) error {
	value, err := settings(flags.envFile)
	if err != nil {
		return err
	}
	if flags.url == "" {
		if flags.url = value("MCP_URL"); flags.url == "" {
			return errors.New("which server? give its URL, such as http://localhost:8000/mcp, or set MCP_URL")
		}
	}
	if flags.revision != "" && !slices.Contains(console.Revisions(), flags.revision) {
		return fmt.Errorf("--protocol-version: want one of %s, got %q", strings.Join(console.Revisions(), ", "), flags.revision)
	}
	base, err := transport(flags.caFile)
	if err != nil {
		return err
	}
	defer base.CloseIdleConnections()
	browser, err := signin.OpenWith(value("BROWSER"))
	if err != nil {
		return err
	}
	if flags.noBrowser {
		browser = func(context.Context, string) error { return nil }
	}
	out := io.Writer(os.Stderr)
	if flags.quiet {
		out = io.Discard
	}
	steps := console.NewSteps(out, flags.noBrowser)
	var signingIn atomic.Bool
	under, err := client.New(client.Config{
		Server: flags.url, Base: base, Browser: browser, ClientID: value("MCP_CLIENT_ID"), ClientSecret: value("MCP_CLIENT_SECRET"),
		RedirectURI: value("MCP_REDIRECT_URI"), Scopes: flags.scopes, SignInTimeout: flags.timeout, ProtocolVersion: flags.revision,
		Trace: func(event client.Event) {
			if page, ok := event.(client.PageReady); ok && flags.quiet && flags.noBrowser {
				fmt.Fprintln(os.Stderr, page.URL)
			}
			switch event.(type) {
			case client.Challenged:
				signingIn.Store(true)
			case client.Issued:
				signingIn.Store(false)
			}
			steps.Trace(event)
		},
	})
	if err != nil {
		return err
	}
	session, err := console.Connect(ctx, flags.url, under, flags.revision, version())
	switch {
	case err == nil:
	case ctx.Err() != nil && signingIn.Load():
		return &client.SignInError{Err: errors.New("interrupted before it was finished")}
	case ctx.Err() != nil:
		return errors.New("interrupted")
	default:
		return err
	}
	defer session.Close()
	steps.Connected(session)
	return do(ctx, session)
}

// settings looks keys up in the environment, and then in the file. The server's own keys, AUTH_ and so on, are not looked at.
func settings(name string) (func(string) string, error) {
	file, err := godotenv.Read(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("settings: %s is not a list of KEY=value lines", name)
	}
	return func(key string) string {
		if set, present := os.LookupEnv(key); present {
			return set
		}
		return file[key]
	}, nil
}

func transport(caFile string) (*http.Transport, error) {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.MaxResponseHeaderBytes = 64 << 10
	if caFile == "" {
		return base, nil
	}
	text, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("--ca-file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--ca-file: %s holds no certificate in PEM", caFile)
	}
	base.TLSClientConfig = &tls.Config{RootCAs: pool}
	return base, nil
}
