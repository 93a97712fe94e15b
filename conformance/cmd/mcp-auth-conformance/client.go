package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients"
	"mcpentra/conformance/report"
)

type clientOptions struct {
	selected  check.Selection
	levels    []string
	revisions []string
	supports  []string
	document  string
	fetch     bool
	timeout   time.Duration
}

func newClientCommand() *cobra.Command {
	var options clientOptions
	var names []string
	for _, one := range clients.Abilities() {
		names = append(names, string(one))
	}
	command := &cobra.Command{
		Use:   "client -- COMMAND...",
		Short: "Try the checks against an MCP client",
		Long: `Client runs an MCP client again and again, each time against servers of its own on loopback
in which one thing may not be as it should be, and looks at what the client does there.

The client is a command that connects to the MCP server, lists its tools, calls the tool
test-tool without arguments, and ends. {url} and {tool} in its words are replaced; without {url}
the URL is its last word. To sign in it opens $BROWSER, or follows the redirects itself. Its
environment is that of the official conformance suite (MCP_CONFORMANCE_SCENARIO,
MCP_CONFORMANCE_PROTOCOL_VERSION, MCP_CONFORMANCE_CONTEXT), whose clients can be used as they
are. HOME is an empty directory.

Some checks need what not every client has. --supports says what yours has:
  kept-state          what one run was granted is there in the next with the same HOME
  pre-registered      MCP_CLIENT_ID and MCP_CLIENT_SECRET are used
  client-document     it has a client ID metadata document
  client-credentials  a grant_type in MCP_CONFORMANCE_CONTEXT is used
  client-key          and with it a private_key_pem instead of a secret
  enterprise-managed  idp_id_token and what is beside it in MCP_CONFORMANCE_CONTEXT is used
  proxy               HTTP_PROXY and HTTPS_PROXY are used
  ca-file             SSL_CERT_FILE or NODE_EXTRA_CA_CERTS is used
  device-code         the grant_type of RFC 8628 in MCP_CONFORMANCE_CONTEXT is used
  sign-out            sign_out there has the grant revoked and forgotten at the end
  several-calls       calls there is how often the tool is called, whatever comes of the calls before
  accounts            MCP_ACCOUNT keeps accounts at one server apart`,
		Example: `  mcp-auth-conformance client -- mcp-entra-client --quiet --url {url} call {tool}
  mcp-auth-conformance client --only client/pkce --supports kept-state -- node my-client.js`,
		Args: arguments(1, math.MaxInt, "the command of an MCP client after --"),
		RunE: func(command *cobra.Command, words []string) error {
			return runClient(command.Context(), command.OutOrStdout(), words, options)
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringSliceVar(
		&options.selected.IDs,
		"only",
		nil,
		"run only checks whose `ID` is this or begins with it; can be repeated",
	)
	flags.StringSliceVar(&options.levels, "level", nil, "run only rules of this `LEVEL`: must, should, policy")
	flags.StringSliceVar(
		&options.revisions,
		"revision",
		nil,
		"the client claims to speak this `REVISION`; can be repeated (all are tried if none is given)",
	)
	flags.StringSliceVar(
		&options.supports,
		"supports",
		nil,
		"the client has this `ABILITY`: "+strings.Join(names, ", "),
	)
	flags.StringVar(
		&options.document,
		"client-document",
		"",
		"judge this `FILE` as the client ID metadata document that stands at the client's URL (with --supports "+
			"client-document)",
	)
	flags.BoolVar(
		&options.fetch,
		"fetch-client-document",
		false,
		"fetch the client ID metadata document from the client's URL, and judge how it is served",
	)
	flags.DurationVar(&options.timeout, "timeout", 10*time.Second, "how long one run of the client may take")
	return command
}

// fetchTimeout bounds a request for a client ID metadata document.
const fetchTimeout = 10 * time.Second

func runClient(ctx context.Context, out io.Writer, words []string, options clientOptions) error {
	var err error
	if options.selected.Levels, err = readLevels(options.levels); err != nil {
		return err
	}
	if _, err := check.Select(clients.Checks(), options.selected); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	target := clients.Target{
		Name:    words[0],
		Run:     clients.Command(words, []string{self, "open"}),
		Timeout: options.timeout,
	}
	if options.fetch {
		target.HTTPClient = &http.Client{Timeout: fetchTimeout}
	}
	for _, one := range options.revisions {
		if !slices.Contains(check.Revisions(), check.Revision(one)) {
			return fmt.Errorf("--revision: want one of %s, got %q", revisionsOf(check.Revisions()), one)
		}
		target.Revisions = append(target.Revisions, check.Revision(one))
	}
	for _, one := range options.supports {
		if !slices.Contains(clients.Abilities(), clients.Ability(one)) {
			return fmt.Errorf("--supports: there is no ability %q; client --help lists the abilities", one)
		}
		target.Abilities = append(target.Abilities, clients.Ability(one))
	}
	if options.document != "" {
		if target.Document, err = os.ReadFile(options.document); err != nil {
			return fmt.Errorf("--client-document: %w", err)
		}
	}
	options.selected.Progress = func(result check.Result) { _ = report.Line(out, result) }
	found, err := clients.Run(ctx, target, options.selected)
	if err != nil {
		return err
	}
	if err := report.Summary(out, found.Results); err != nil {
		return err
	}
	switch {
	case found.Count(check.Error) > 0:
		return errors.New("the client could not be judged in everything; see the lines that begin with error")
	case found.Count(check.Fail) > 0:
		return errFailed
	}
	return nil
}

// newOpenCommand is the browser that clients under test are given: it has the person of the lab
// visit a page.
func newOpenCommand() *cobra.Command {
	return &cobra.Command{
		Use: "open ADDRESS PAGE", Hidden: true, Args: arguments(2, 2, "two addresses"), DisableFlagParsing: true,
		RunE: func(command *cobra.Command, given []string) error {
			at, err := url.Parse(given[0])
			if err != nil || at.Scheme != "http" || !net.ParseIP(at.Hostname()).IsLoopback() {
				return errors.New("open is for clients that are being checked")
			}
			page := strings.NewReader(given[1])
			request, err := http.NewRequestWithContext(command.Context(), http.MethodPost, at.String(), page)
			if err != nil {
				return err
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return err
			}
			defer response.Body.Close()
			if text, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10)); response.StatusCode != http.StatusOK {
				return fmt.Errorf("the page could not be visited: %s", strings.TrimSpace(string(text)))
			}
			return nil
		},
	}
}
