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
	// The standard library logs unsolicited responses of an upstream to the default log. They may
	// contain a caller's data.
	log.SetOutput(io.Discard)
	if os.Getenv("GOGC") == "" {
		paceCollector()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	if err := newCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "mcp-entra-server: %v\n", err)
		if errors.Is(err, errFaults) {
			os.Exit(1)
		}
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
to sign in, and issues its own tokens. In direct mode (AUTH_MODE=direct) it accepts Entra's
own access tokens, for clients that have an application ID in the tenant.

It has two tools of its own. With --upstream it protects another MCP server instead, in any
language. That server gets every accepted request without the token, and a signed header that
names the caller. Its answers pass unchanged.

It reads .env in the working directory. The environment wins over the file, and flags win over
both. .env.example explains every key. These are required:

  AUTH_TENANT_ID       the Directory (tenant) ID
  AUTH_CLIENT_ID       the Application (client) ID of a web app registration; in direct
                       mode, of the API's registration
  AUTH_CLIENT_SECRET   the Value of one of its client secrets; in direct mode, only for
                       tools that ask Graph on behalf of the caller

In place of the secret, the server proves itself with the one of these that is set: a secret
in AUTH_CLIENT_SECRET_FILE, a certificate with its key in AUTH_CERTIFICATE_FILE, a token of the
platform in AUTH_FEDERATED_TOKEN_FILE, or AUTH_MANAGED_IDENTITY of Azure.

In broker mode, AUTH_CLIENTS_FILE names a file with clients that need not register themselves.
AUTH_CLIENT_DOCUMENTS says whose client ID metadata documents count: any, none, or hosts.
AUTH_RESOURCES_FILE names a file with other servers that accept this server's tokens.

Without a tenant, "fakeentra --write-env .env" writes a file that points at a fake tenant.

The commands below work on what the server stores.

Exit status: 0 after Ctrl-C or SIGTERM; 2 for usage or set-up: a missing or wrong key, an
address in use, a tenant or credential that Entra refuses.`,
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
		"listen on `HOST:PORT` (MCP_ADDR); localhost means both loopback addresses, port 0 a free port",
	)
	set.StringVar(
		&flags.publicURL,
		"public-url",
		"",
		"the `URL` that clients and browsers use (MCP_PUBLIC_URL)",
	)
	set.StringVar(
		&flags.store,
		"store",
		"",
		"keep clients and grants at `URL` (STORE_URL): memory:, file:PATH, postgres://… or rediss://…",
	)
	set.StringVar(
		&flags.upstream,
		"upstream",
		"",
		"protect the MCP server at `URL` (MCP_UPSTREAM), in place of this program's own tools",
	)
	set.BoolVar(
		&flags.trustFakeKeys,
		"trust-public-fake-keys",
		false,
		"accept sign-ins that anyone can forge, because fakeentra's keys are public (needed only beyond loopback)",
	)
	set.BoolVar(&flags.verbose, "verbose", false, "log every request")
	command.AddCommand(newClientCommand(), newKeysCommand(), newStoreCommand())
	command.CompletionOptions.HiddenDefaultCmd = true
	return command
}

// refuseArguments refuses arguments without a flag, and names the flags.
func refuseArguments(_ *cobra.Command, arguments []string) error {
	if len(arguments) == 0 {
		return nil
	}
	return fmt.Errorf("%q has no flag before it: write --addr for the address to listen on, "+
		"--public-url for the URL that clients use, --upstream for the server to protect; --help explains them",
		arguments[0])
}

// explainFlag turns an error about a flag into a sentence that says what to do.
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
		return fmt.Errorf("--%s is %q: write --%[1]s alone, or --%[1]s=false", invalid.GetFlag().Name,
			invalid.GetValue())
	}
	return fmt.Errorf("%w: --help lists the flags", err)
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// sayNotConfigured is the message for a program without any settings.
const sayNotConfigured = `is missing: write the Directory (tenant) ID into .env (see .env.example), ` +
	`or run "fakeentra --write-env .env" to try it offline`
