// Fakeentra is a fake of Microsoft Entra ID on loopback, for tests and for trying things out.
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
		Short: "A fake of Microsoft Entra ID, for tests and for trying things out",
		Long: `Fakeentra listens on loopback and answers as Entra ID and Microsoft Graph do: a tenant, an
app registration with a secret, an API and two people, ready to sign in. Everything it knows
is in memory and gone when it ends; its signing keys are public, so nothing real may trust it.

The admin API mints tokens, injects faults, rolls keys, sets the clock and reads the journal;
GET / on its port lists it.

Exit status: 0 ended by Ctrl-C or SIGTERM; 2 usage, a directory file with mistakes, or an address that
cannot be listened on.

For a federated credential, issuers on loopback are asked for their keys, and no others.`,
		Example: `  fakeentra --write-env .env          # then: mcp-entra-server
  fakeentra --addr localhost:0        # a free port, which the first line names
  fakeentra --tls --ca-file ca.pem    # MSAL speaks only TLS; trust ca.pem
  fakeentra directory > d.yaml; fakeentra --directory d.yaml --admin-addr localhost:8401
  BROWSER='fakeentra visit' mcp-entra-client http://localhost:8000/mcp list`,
		Args:          noSuchCommand,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			return serve(command.Context(), options, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{ReplaceAttr: shortTime})))
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&options.address, "addr", "localhost:8400", "listen on `HOST:PORT`; localhost is both loopback addresses, port 0 is a free one")
	flags.StringVar(&options.envFile, "write-env", "", "write `FILE` (mode 0600) with the settings that point mcp-entra-server here")
	flags.StringVar(&options.directory, "directory", "", "know the tenants, apps and people of this `FILE`, and follow its changes (fakeentra directory prints an example)")
	flags.StringVar(&options.admin, "admin-addr", "", "serve the admin API on this loopback `HOST:PORT`, such as localhost:8401")
	flags.BoolVar(&options.tls, "tls", false, "listen with TLS, with a certificate of a CA made at the start")
	flags.StringVar(&options.caFile, "ca-file", "", "with --tls: write the CA's certificate to `FILE`")
	flags.StringVar(&options.publicURL, "public-url", "", "go by this `URL` in documents and tokens instead of the listener's")
	flags.StringVar(&options.backchannelURL, "backchannel-url", "", "name this `URL` for what programs call (token, keys, userinfo), for a fake in a container")
	flags.BoolVar(&options.autoSignIn, "auto-sign-in", false, "sign in login_hint, or else the first user, without showing a page")
	flags.StringVar(&options.face, "face", "", "spec-aligned: be what MCP would like an authorization server to be, and Entra ID is not (RFC 8414, PKCE metadata, iss, registration)")
	flags.StringVar(&options.cloud, "cloud", "", "name the hosts of another cloud in documents and v1 tokens: usgov, usgov-dod or china")
	flags.StringVar(&options.resource, "resource", "", "what becomes of the parameter resource: refused as before 2026 (AADSTS901002), or ignored; must match (AADSTS9010010) if left out")
	flags.BoolVar(&options.anyLoopbackPort, "any-loopback-port", false, "let the port of http://127.0.0.1 differ from the registered one, as that of localhost may")
	flags.BoolVar(&options.errorLines, "error-lines", false, "write error descriptions in lines, as before the autumn of 2023")
	flags.StringVar(&options.seed, "seed", "", "make codes, IDs and tokens from this `TEXT`: with --clock, the same requests get the same answers")
	flags.StringVar(&options.clock, "clock", "", "let the clock stand still at this `TIME` (RFC 3339)")
	flags.Float64Var(&options.chaos, "chaos", 0, "spoil this `SHARE` of all requests, from 0 to 1")
	flags.BoolVar(&options.expose, "expose", false, "allow an address that other machines can reach")
	flags.BoolVar(&options.quiet, "quiet", false, "do not log requests")
	command.SetFlagErrorFunc(flagError)
	command.AddCommand(newVisitCommand(), newDirectoryCommand())
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
