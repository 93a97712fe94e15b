package main

import (
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpproxy"
	"golang.org/x/term"

	"mcpentra/conformance/doctor"
)

// doctorOptions are the flags of the command doctor.
type doctorOptions struct {
	format         string
	caFile         string
	clientID       string
	redirectURI    string
	tokenFile      string
	noRegistration bool
	timeout        time.Duration
	client         bool
	envFile        string
	schema         bool
}

// errExamined carries the exit status of a report.
type errExamined int

func (e errExamined) Error() string { return fmt.Sprintf("the report ends with status %d", int(e)) }

func newDoctorCommand() *cobra.Command {
	options := doctorOptions{}
	command := &cobra.Command{
		Use:   "doctor URL",
		Short: "Walk through a deployment as a client would, and say what to change",
		Long: `Doctor walks through the deployment of an MCP server as a client would: DNS and TLS, the
challenge, the metadata, the registration, and the authorization request up to the sign-in page.
It names each fault, the clients that fail on it, and the change that mends it. At the end it
prints settings for clients. It connects directly; with --client, it goes through this machine's
proxy.

With --client, doctor first examines this machine as mcp-entra-client would: settings, browser,
callback port, keychain, stored tokens, proxy and clock. It changes nothing here, and registers no
client. Without a URL it takes MCP_URL.

Doctor stops at the sign-in page. It sends no credentials but the token of --token-file, and that
one only to the endpoint. If the server lets clients register, it
registers one, and deletes it if the server allows that. --no-registration prevents this.

With --env, doctor checks a settings file of mcp-entra-server and the tenant that it points to, in
place of a URL. It asks Entra for a sign-in page, and for a token that it drops. It writes nothing,
and prints no secrets.

Exit status:
  0  nothing is wrong; warnings do not count
  1  a fault
  2  wrong usage, or the address does not answer`,
		Example: `  mcp-auth-conformance doctor https://mcp.example.com/mcp
  mcp-auth-conformance doctor https://mcp.example.com/mcp --format json
  mcp-auth-conformance doctor https://mcp.example.com/mcp --client-id 11111111-1111-1111-1111-111111111111
  mcp-auth-conformance doctor --client https://mcp.example.com/mcp
  mcp-auth-conformance doctor --env .env`,
		Args: func(command *cobra.Command, given []string) error {
			if options.schema {
				return arguments(0, 0, "no URL with --schema")(command, given)
			}
			if options.client || options.envFile != "" {
				return arguments(0, 1, "the URL of one MCP endpoint")(command, given)
			}
			return arguments(1, 1, "the URL of one MCP endpoint")(command, given)
		},
		RunE: func(command *cobra.Command, given []string) error {
			if options.schema {
				_, err := command.OutOrStdout().Write(doctor.Schema())
				return err
			}
			if options.envFile != "" {
				return examineEnv(command, given, options)
			}
			return examine(command, strings.Join(given, ""), options)
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&options.format, "format", "text", "print the report in this `FORMAT`: text or json")
	flags.StringVar(&options.clientID, "client-id", "", "use the registered client with this `ID`")
	flags.StringVar(&options.redirectURI, "redirect-uri", "", "the registered redirect `URI` of the --client-id")
	flags.StringVar(&options.tokenFile, "token-file", "",
		"with the access token in this `FILE`, also send messages and open a stream")
	flags.BoolVar(&options.noRegistration, "no-registration", false, "register no client")
	flags.StringVar(&options.caFile, "ca-file", "", "also trust the certificate authorities in this PEM `FILE`")
	flags.BoolVar(&options.client, "client", false, "also examine this machine as mcp-entra-client would")
	flags.StringVar(&options.envFile, "env", "", "check this settings `FILE` of mcp-entra-server and its tenant")
	flags.BoolVar(&options.schema, "schema", false, "print the JSON Schema of --format json instead")
	flags.DurationVar(&options.timeout, "timeout", 10*time.Second, "time limit for each answer")
	command.MarkFlagsMutuallyExclusive("env", "client", "schema")
	return command
}

func examine(command *cobra.Command, address string, options doctorOptions) error {
	config := doctor.Config{
		URL:            address,
		ClientID:       options.clientID,
		RedirectURI:    options.redirectURI,
		NoRegistration: options.noRegistration,
		Patience:       options.timeout,
		ProxyVariable:  proxyVariable(httpproxy.FromEnvironment(), address),
	}
	if options.format != "text" && options.format != "json" {
		return fmt.Errorf("--format: want text or json, got %q", options.format)
	}
	if options.caFile != "" {
		pool, err := certificates(options.caFile)
		if err != nil {
			return err
		}
		config.RootCAs = pool
	}
	if options.tokenFile != "" {
		token, err := readToken(options.tokenFile)
		if err != nil {
			return fmt.Errorf("--token-file: %w", err)
		}
		config.Token = token
	}
	if options.client {
		return examineClient(command, config, options.format)
	}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		config.Progress = func(title string) { fmt.Fprintf(command.ErrOrStderr(), "%s …\n", title) }
	}
	report, err := doctor.Walk(command.Context(), config)
	if err != nil {
		return err
	}
	return printReport(command, report, options.format)
}

// proxyVariable names the environment variable that sets the proxy for an address, or returns "".
// It also names one whose value cannot be read. It returns no value, which may hold a password.
func proxyVariable(environment *httpproxy.Config, address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return ""
	}
	through, err := environment.ProxyFunc()(parsed)
	if err == nil && through == nil {
		return ""
	}
	return map[string]string{"http": "HTTP_PROXY", "https": "HTTPS_PROXY"}[parsed.Scheme]
}

// printReport writes a report of the doctor, and returns its exit status as an error.
func printReport(command *cobra.Command, report *doctor.Report, format string) error {
	out := command.OutOrStdout()
	var err error
	if format == "json" {
		err = report.WriteJSON(out)
	} else {
		file, isFile := out.(*os.File)
		hasColours := isFile && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == ""
		err = report.WriteText(out, hasColours)
	}
	if status := report.ExitStatus(); err == nil && status != 0 {
		return errExamined(status)
	}
	return err
}
