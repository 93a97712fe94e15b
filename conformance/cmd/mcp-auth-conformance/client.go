package main

import (
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
)

type clientOptions struct {
	run       runOptions
	revisions []string
	supports  []string
	document  string
	fetch     bool
	timeout   time.Duration
}

func newClientCommand() *cobra.Command {
	var options clientOptions
	var names []string
	for _, ability := range clients.Abilities() {
		names = append(names, string(ability))
	}
	command := &cobra.Command{
		Use:   "client -- COMMAND...",
		Short: "Run the checks against an MCP client",
		Long: `Client runs an MCP client many times. Each check starts its own servers on loopback, where one
thing may be wrong, and watches the requests of the client.

The client is a command that connects to the MCP server, lists its tools, calls the tool
test-tool without arguments, and ends. {url} and {tool} in the command are replaced. Without
{url}, the URL becomes the last argument. To sign in, the client opens $BROWSER or follows the
redirects itself. It gets the environment variables of the official conformance suite
(MCP_CONFORMANCE_SCENARIO, MCP_CONFORMANCE_PROTOCOL_VERSION, MCP_CONFORMANCE_CONTEXT), so
clients written for the suite run unchanged. HOME is an empty directory. A client that listens at
a fixed port runs once at a time, whatever --parallel says.

Some checks need an ability that not every client has. List your client's with --supports.
In this list, "context" means MCP_CONFORMANCE_CONTEXT:
  kept-state          keeps its grants for the next run with the same HOME
  pre-registered      uses MCP_CLIENT_ID and MCP_CLIENT_SECRET, at MCP_CLIENT_ISSUER only
  client-document     has a client ID metadata document
  client-credentials  uses grant_type client_credentials from the context
  client-key          uses private_key_pem from the context with that grant, instead of a secret
  enterprise-managed  uses idp_id_token and the other idp_ members of the context
  proxy               uses HTTP_PROXY and HTTPS_PROXY
  ca-file             uses SSL_CERT_FILE or NODE_EXTRA_CA_CERTS
  device-code         uses the grant_type of RFC 8628 from the context
  sign-out            revokes and forgets the grant at the end if the context has sign_out
  several-calls       makes the number of calls in the context, even after failures
  accounts            separates accounts at one server by MCP_ACCOUNT`,
		Example: `  mcp-auth-conformance client -- mcp-entra-client --quiet --url {url} call {tool}
  mcp-auth-conformance client --only client/pkce --supports kept-state -- node my-client.js`,
		Args: arguments(1, math.MaxInt, "the command of an MCP client after --"),
		RunE: func(command *cobra.Command, words []string) error {
			return runClient(command, words, options)
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	options.run.addFlags(flags, 4)
	flags.StringSliceVar(
		&options.revisions,
		"revision",
		nil,
		"the client claims to support this `REVISION`; can be repeated; all are tried by default",
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
		"check this `FILE` as the client ID metadata document at the client's URL; needs --supports client-document",
	)
	flags.BoolVar(
		&options.fetch,
		"fetch-client-document",
		false,
		"fetch the client ID metadata document from the client's URL, and check how it is served",
	)
	flags.DurationVar(&options.timeout, "timeout", 10*time.Second, "time limit for one run of the client")
	return command
}

// fetchTimeout bounds a request for a client ID metadata document.
const fetchTimeout = 10 * time.Second

func runClient(command *cobra.Command, words []string, options clientOptions) error {
	if err := options.run.read(clientRules()); err != nil {
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
	for _, revision := range options.revisions {
		if !slices.Contains(check.Revisions(), check.Revision(revision)) {
			return fmt.Errorf("--revision: want one of %s, got %q", revisionsOf(check.Revisions()), revision)
		}
		target.Revisions = append(target.Revisions, check.Revision(revision))
	}
	for _, ability := range options.supports {
		if !slices.Contains(clients.Abilities(), clients.Ability(ability)) {
			return fmt.Errorf("--supports: there is no ability %q; client --help lists the abilities", ability)
		}
		target.Abilities = append(target.Abilities, clients.Ability(ability))
	}
	if options.document != "" {
		document, err := os.ReadFile(options.document)
		if err != nil {
			return fmt.Errorf("--client-document: %w", err)
		}
		target.Document = document
	}
	options.run.begin(command, words)
	found, err := clients.Run(command.Context(), target, options.run.selected)
	return options.run.finish(found, err, nil)
}

// newOpenCommand returns the browser of clients under test. It makes the scripted person visit a
// page.
func newOpenCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "open ADDRESS PAGE",
		Hidden:             true,
		Args:               arguments(2, 2, "two addresses"),
		DisableFlagParsing: true,
		RunE: func(command *cobra.Command, given []string) error {
			at, err := url.Parse(given[0])
			if err != nil || at.Scheme != "http" || !net.ParseIP(at.Hostname()).IsLoopback() {
				return errors.New("open serves only clients under test: want a loopback http address")
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
			text, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
			if response.StatusCode != http.StatusOK {
				return fmt.Errorf("the page could not be opened: %s", strings.TrimSpace(string(text)))
			}
			return nil
		},
	}
}
