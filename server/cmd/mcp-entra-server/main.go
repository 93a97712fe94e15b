// Mcp-entra-server serves MCP tools behind Microsoft Entra ID.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func main() {
	// The standard library writes what an upstream sent unasked, which may be a caller's, to the
	// default log.
	log.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	if err := newCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "mcp-entra-server: %v\n", err)
		os.Exit(2)
	}
}

func newCommand() *cobra.Command {
	var flags flagValues
	command := &cobra.Command{
		Use:   "mcp-entra-server",
		Short: "Serve MCP tools behind Microsoft Entra ID",
		Long: `Mcp-entra-server serves MCP at /mcp to clients of all four revisions. In broker mode it is
their authorization server: it registers them, asks people for consent, sends them to Entra ID
to sign in, and issues tokens of its own. In direct mode (AUTH_MODE=direct) it takes Entra's
own access tokens, for clients that have an application ID in the tenant.

Behind it stand two tools of its own, or any other MCP server (--upstream), in any language:
it gets every request that passed, without the token, and learns who calls from a signed
header. What it answers passes as it comes.

It reads .env in the working directory. The environment wins over the file, and flags win over
both. Every key is explained in .env.example; these are needed:

  AUTH_TENANT_ID       the Directory (tenant) ID
  AUTH_CLIENT_ID       the Application (client) ID of a web app registration, in direct
                       mode of the API
  AUTH_CLIENT_SECRET   the Value of one of its client secrets (in direct mode only for
                       tools that ask Graph on behalf of the caller)

Without a tenant, "fakeentra --write-env .env" writes a file that points at a fake one.

Exit status: 0 ended by Ctrl-C or SIGTERM; 2 usage or set-up: a missing or wrong key, an
address in use, a tenant or secret that Entra refuses.`,
		Example: `  mcp-entra-server
  mcp-entra-server --env tenant.env --addr localhost:9000
  mcp-entra-server --upstream http://localhost:9000/mcp
  MCP_PUBLIC_URL=https://mcp.example.com MCP_ADDR=:8000 mcp-entra-server   # behind a TLS proxy`,
		Args:          refuseArguments,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
		RunE: func(command *cobra.Command, _ []string) error {
			level := slog.LevelInfo
			if flags.verbose {
				level = slog.LevelDebug
			}
			logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
			settings, err := readSettings(flags, command.Flags().Changed, os.Environ(), logger)
			if err != nil {
				return err
			}
			return settings.explain(serve(command.Context(), settings, logger))
		},
	}
	command.SetFlagErrorFunc(explainFlag)
	set := command.Flags()
	set.SortFlags = false
	set.StringVar(&flags.envFile, "env", ".env", "read settings from `FILE`")
	set.StringVar(
		&flags.address,
		"addr",
		"",
		"listen on `HOST:PORT` (MCP_ADDR); localhost is both loopback addresses, port 0 is a free one",
	)
	set.StringVar(
		&flags.publicURL,
		"public-url",
		"",
		"the `URL` that clients and browsers reach the server at (MCP_PUBLIC_URL)",
	)
	set.StringVar(&flags.store, "store", "", "where grants are kept (STORE_URL): memory: or file:PATH")
	set.StringVar(
		&flags.upstream,
		"upstream",
		"",
		"stand in front of the MCP server at `URL` (MCP_UPSTREAM), in place of this program's own tools",
	)
	set.BoolVar(
		&flags.trustFakeKeys,
		"trust-public-fake-keys",
		false,
		"accept sign-ins that anybody can forge: fakeentra's keys are public (always so when the authority is on loopback)",
	)
	set.BoolVar(&flags.verbose, "verbose", false, "log every request")
	command.CompletionOptions.HiddenDefaultCmd = true
	return command
}

// refuseArguments says where what stands on the command line belongs.
func refuseArguments(_ *cobra.Command, arguments []string) error {
	if len(arguments) == 0 {
		return nil
	}
	return fmt.Errorf("%q stands on the command line without a flag: write --addr for the address to listen on, "+
		"--public-url for the URL that clients use, --upstream for a server to stand in front of; --help "+
		"explains them", arguments[0])
}

// explainFlag says in words what is wrong with a flag.
func explainFlag(command *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		empty   *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		guess := ""
		command.Flags().VisitAll(func(flag *pflag.Flag) {
			if distance(flag.Name, name) <= 2 {
				guess = " (did you mean --" + flag.Name + "?)"
			}
		})
		return fmt.Errorf("there is no flag --%s%s: --help lists them", strings.TrimLeft(name, "-"), guess)
	case errors.As(err, &empty):
		return fmt.Errorf("--%s needs a value: write --%[1]s=VALUE; --help explains it", empty.GetSpecifiedName())
	case errors.As(err, &invalid):
		return fmt.Errorf("--%s is %q, which is no value for it: write --%[1]s alone, or --%[1]s=false",
			invalid.GetFlag().Name, invalid.GetValue())
	}
	return fmt.Errorf("%w: --help lists the flags", err)
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// sayNotConfigured is what a person reads who starts the program with nothing.
const sayNotConfigured = `is missing: write the Directory (tenant) ID into .env (see .env.example), ` +
	`or run "fakeentra --write-env .env" to try it offline`
