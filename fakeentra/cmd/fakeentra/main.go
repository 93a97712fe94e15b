// Fakeentra is a fake of Microsoft Entra ID on loopback, for tests and experiments.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitNo      = 1
	exitUsage   = 2
	exitRefused = 3
)

// An exitError ends the program with a status.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx))
}

func run(ctx context.Context) int {
	err := newCommand().ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "fakeentra: %v\n", err)
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.status
	}
	return exitUsage
}

func newCommand() *cobra.Command {
	var options serveOptions
	command := &cobra.Command{
		Use:   "fakeentra",
		Short: "A fake of Microsoft Entra ID, for tests and experiments",
		Long: `Fakeentra listens on loopback and answers like Entra ID and Microsoft Graph. It has a tenant,
an app registration with a secret, an API and two people, ready to sign in. It keeps all state in
memory and loses it at the end. Its signing keys are public, so nothing real may trust it.

At its address, it shows pages for people on this machine: the directory, tokens, the journal, faults,
the clock and the keys.

The admin API mints tokens, injects faults, rolls keys, sets the clock and reads the journal.
GET / on its port lists the operations.

For federated credentials, it fetches keys only from issuers on loopback.

Exit status: 0 ended by Ctrl-C or SIGTERM; 2 usage error, a directory file with mistakes, or an
address that cannot be used.`,
		Example: `  fakeentra --write-env .env          # then: mcp-entra-server
  fakeentra --addr localhost:0        # a free port; the first line names it
  fakeentra --tls --ca-file ca.pem    # MSAL speaks only TLS; trust ca.pem
  fakeentra directory > d.yaml; fakeentra --directory d.yaml --admin-addr localhost:8401
  BROWSER='fakeentra visit' mcp-entra-client http://localhost:8000/mcp list`,
		Args:          noSuchCommand,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			handler := slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{ReplaceAttr: shortTime})
			return serve(command.Context(), options, slog.New(handler))
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&options.address, "addr", "localhost:8400",
		"listen on `HOST:PORT`; localhost means both loopback addresses, port 0 a free port")
	flags.StringVar(&options.envFile, "write-env", "",
		"write `FILE` (mode 0600) with the settings that point mcp-entra-server here")
	flags.StringVar(&options.directory, "directory", "",
		"load tenants, apps and people from this `FILE`, and follow its changes; fakeentra directory prints an example")
	flags.StringVar(&options.admin, "admin-addr", "",
		"serve the admin API on this loopback `HOST:PORT`, for example localhost:8401")
	flags.BoolVar(&options.tls, "tls", false, "listen with TLS; the certificate comes from a CA made at the start")
	flags.StringVar(&options.caFile, "ca-file", "", "with --tls: write the CA's certificate to `FILE`")
	flags.StringVar(&options.publicURL, "public-url", "",
		"use this `URL` in documents and tokens instead of the listener's")
	flags.StringVar(&options.backchannelURL, "backchannel-url", "",
		"use this `URL` for the endpoints that programs call (token, keys, userinfo), for a fake in a container")
	flags.BoolVar(&options.autoSignIn, "auto-sign-in", false,
		"sign in the user of login_hint, or else the first user, without a page")
	flags.StringVar(&options.face, "face", "",
		"spec-aligned adds what MCP expects and Entra ID lacks: RFC 8414, PKCE metadata, iss, registration")
	flags.StringVar(&options.cloud, "cloud", "",
		"name the hosts of another cloud in documents and v1 tokens: usgov, usgov-dod or china; "+
			"external-id is Entra External ID, with issuers at ciamlogin.com")
	flags.StringVar(&options.resource, "resource", "",
		"rule for the parameter resource: refused (AADSTS901002, as before 2026) or ignored; "+
			"by default it must match (AADSTS9010010)")
	flags.BoolVar(&options.exactLoopbackPort, "exact-loopback-port", false,
		"want the registered port of http://127.0.0.1; by default public clients may use any port, as with localhost")
	flags.BoolVar(&options.errorLines, "error-lines", false,
		"write error descriptions in lines, as before the autumn of 2023")
	flags.BoolVar(&options.popChallenge, "pop-challenge", false,
		"put a PoP challenge before Bearer in Graph's answer to a revoked token")
	flags.IntVar(&options.graphPageSize, "graph-page-size", 0,
		"put `N` entries on a page of Graph if the request has no $top (default 10, or the directory's graphPageSize)")
	flags.StringVar(&options.seed, "seed", "",
		"make codes, IDs and tokens from this `TEXT`; with --clock, the same requests get the same answers")
	flags.StringVar(&options.clock, "clock", "", "stop the clock at this `TIME` (RFC 3339)")
	flags.Float64Var(&options.chaos, "chaos", 0, "spoil this `SHARE` of all requests, from 0 to 1")
	flags.BoolVar(&options.expose, "expose", false, "allow an address that other machines can reach")
	flags.BoolVar(&options.quiet, "quiet", false, "do not log requests")
	command.SetFlagErrorFunc(flagError)
	command.AddCommand(newVisitCommand(), newDirectoryCommand(), newHealthCommand())
	command.AddCommand(newVerifyCommand(), newRecordCommand())
	command.CompletionOptions.HiddenDefaultCmd = true
	return command
}

// shortTime leaves the date out of the log.
func shortTime(groups []string, attribute slog.Attr) slog.Attr {
	if attribute.Key == slog.TimeKey && len(groups) == 0 {
		attribute.Value = slog.StringValue(attribute.Value.Time().Format("15:04:05.000"))
	}
	return attribute
}
