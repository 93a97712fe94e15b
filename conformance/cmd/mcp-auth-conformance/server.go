package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/exchange"
	"mcpentra/conformance/servers"
	"mcpentra/conformance/servers/signin"
	"mcpentra/fakeentra/admin"
)

type serverOptions struct {
	tokenFiles map[servers.TokenKind]*string
	signIn     bool
	run        runOptions
	roles      []string
	revisions  []string
	caFile     string
	issuerKey  string

	otherResource string
	client        registeredClient
	fake          string // the URL of an admin API
	local         bool
	timeout       time.Duration // of the server's first answer
	signInTimeout time.Duration
	tools         toolOptions
	rig           rigOptions
}

func newServerCommand() *cobra.Command {
	options := serverOptions{tokenFiles: map[servers.TokenKind]*string{}}
	command := &cobra.Command{
		Use:   "server URL",
		Short: "Run the checks against an MCP server",
		Long: `Server runs the checks against the MCP endpoint at URL.

Many checks expect a refusal, and first show that a correct request succeeds. For that they
need a good token. --sign-in gets one as a client does: it registers, uses PKCE, and opens
$BROWSER. Without $BROWSER it prints the address for you to open. --token-file reads a token.
--sign-in opens up to four more pages for the same person, and makes refreshed, revoked and
narrower tokens, and tokens for another resource, if the authorization server allows that.
If clients cannot register themselves, as at Entra ID, give a registered one with --client-id.

If the server trusts a fakeentra, --fakeentra alone gives good tokens, another user's tokens,
tokens with one flaw, and the key. If the server issues tokens of its own, it signs two people
in at the fake.

Tokens with one flaw need the issuer's private key, or its HS256 secret. Give the key of a test
issuer with --issuer-key, or give the tokens that you have as files.

If the server takes the address of its issuer from a setting, --rig plays that issuer. It makes
tokens with every flaw. With --rig-start, checks also change the issuer's keys: each starts a
server of its own with the command.

More checks run if you name tools of the server that tell what happened. Checks without their
inputs are skipped. The run ends with a list of the inputs that they need.`,
		Example: `  mcp-auth-conformance server http://localhost:8000/mcp --sign-in
  mcp-auth-conformance server http://localhost:8000/mcp --fakeentra http://localhost:8401
  mcp-auth-conformance server http://localhost:8000/mcp --rig localhost:9400 --rig-start 'server {issuer} {port}'
  mcp-auth-conformance server https://mcp.example.com/mcp --token-file good.txt --expired-token-file old.txt
  mcp-auth-conformance server http://localhost:8000/mcp --only server/metadata`,
		Args: arguments(1, 1, "the URL of one MCP endpoint"),
		RunE: func(command *cobra.Command, given []string) error {
			return runServer(command, given[0], options)
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.BoolVar(&options.signIn, "sign-in", false, "get a good token, and others, by signing in")
	flags.StringVar(
		&options.otherResource,
		"other-resource",
		"",
		"with --sign-in, ask for a token for this other `URI` of the same issuer (default https://other.example/mcp)",
	)
	options.client.addFlags(flags)
	flags.StringVar(
		&options.fake,
		"fakeentra",
		"",
		"get tokens and the key from the fakeentra whose admin API is at `URL`, for example http://localhost:8401",
	)
	for _, token := range tokenFlags {
		options.tokenFiles[token.kind] = flags.String(
			token.flag,
			"",
			fmt.Sprintf("read a token of kind %q from `FILE`", string(token.kind)),
		)
	}
	flags.StringVar(
		&options.issuerKey,
		"issuer-key",
		"",
		"sign flawed tokens with the private key (PEM) or the HS256 secret in this `FILE`; only for your own issuers",
	)
	flags.BoolVar(
		&options.local,
		"local",
		false,
		"the server is for this machine only: check whether other machines could reach it",
	)
	options.rig.addFlags(flags)
	options.tools.addFlags(flags)
	options.run.addFlags(flags, 16)
	flags.StringSliceVar(
		&options.roles,
		"role",
		nil,
		"run only rules for this `ROLE`: server, authorization-server",
	)
	flags.BoolVar(
		&options.run.selected.Disruptive,
		"disruptive",
		false,
		"also run checks that disturb other users, for example floods; only for your own servers",
	)
	flags.StringSliceVar(
		&options.revisions,
		"revision",
		nil,
		"the server claims to support this `REVISION`; can be repeated; all are tried by default",
	)
	flags.StringVar(&options.caFile, "ca-file", "", "also trust the certificate authorities in this PEM `FILE`")
	flags.DurationVar(
		&options.timeout,
		"timeout",
		10*time.Second,
		"time limit for the server's first answer; above 10s, other limits grow with it",
	)
	flags.DurationVar(
		&options.signInTimeout,
		"sign-in-timeout",
		5*time.Minute,
		"time limit for the person at the browser",
	)
	return command
}

// tokenFlags are the flags that name files with tokens.
var tokenFlags = []struct {
	kind servers.TokenKind
	flag string
}{
	{servers.Good, "token-file"},
	{servers.Expired, "expired-token-file"},
	{servers.NotYetValid, "future-token-file"},
	{servers.ForeignAudience, "foreign-audience-token-file"},
	{servers.ForeignIssuer, "foreign-issuer-token-file"},
	{servers.WithoutScope, "scopeless-token-file"},
	{servers.BroaderScope, "broader-scope-token-file"},
	{servers.OtherUser, "other-user-token-file"},
	{servers.Refreshed, "refreshed-token-file"},
	{servers.Revoked, "revoked-token-file"},
	{servers.RefreshToken, "refresh-token-file"},
	{servers.IDToken, "id-token-file"},
	{servers.UnlistedClient, "unlisted-client-token-file"},
	{servers.PublicClient, "public-client-token-file"},
}

func tokenFlag(kind servers.TokenKind) string {
	for _, token := range tokenFlags {
		if token.kind == kind {
			return token.flag
		}
	}
	return ""
}

func runServer(command *cobra.Command, address string, options serverOptions) error {
	ctx := command.Context()
	for _, role := range options.roles {
		if role != "server" && role != "authorization-server" {
			return fmt.Errorf("--role: want server or authorization-server, got %q", role)
		}
		options.run.selected.Roles = append(options.run.selected.Roles, role)
	}
	usesOther := options.signIn || options.fake != "" || options.issuerKey != ""
	switch {
	case options.rig.address != "" && usesOther:
		return errors.New("--rig makes all tokens; use it without --sign-in, --fakeentra and --issuer-key")
	case options.client.id != "" && !options.signIn:
		return errors.New("--client-id names the client of a sign-in; give --sign-in too")
	case options.rig.address == "" && options.rig.start != "":
		return errors.New("--rig-start needs the address of the issuer; give --rig too")
	case options.rig.address != "" && options.roles == nil:
		options.run.selected.Roles = []string{"server"} // the rig has no sign-in to check
	}
	// Find typing mistakes before the person signs in.
	if err := options.run.read(serverRules()); err != nil {
		return err
	}
	target, err := readTarget(ctx, address, options)
	if err != nil {
		return err
	}
	if options.rig.address != "" {
		stop, err := options.rig.open(ctx, target, command.ErrOrStderr())
		if err != nil {
			return err
		}
		defer stop()
	}
	survey, err := servers.Look(ctx, target)
	if err != nil {
		return options.run.reports.ended(err)
	}
	announce(command.ErrOrStderr(), survey, options)
	options.run.begin(command, []string{address})
	found, err := servers.Run(ctx, *target, options.run.selected)
	outcome := options.run.finish(found, err, func(out io.Writer) {
		if survey.Asks != servers.AsksForNothing {
			writeMissing(out, target, found)
		}
	})
	if err != nil {
		return outcome
	}
	if refused := options.refusedSignIn(survey); refused != nil && !errors.Is(outcome, errFailed) {
		return refused
	}
	if outcome != nil || len(survey.Troubles) == 0 {
		return outcome
	}
	return errors.New("want inputs that work, but the first lines name one that does not")
}

// announce prints what the first look at the server has found about the inputs, a line each.
func announce(out io.Writer, survey *servers.Survey, options serverOptions) {
	for _, trouble := range survey.Troubles {
		flag := "issuer-key"
		if trouble.Token != "" {
			flag = options.sourceOf(trouble.Token)
		}
		fmt.Fprintf(out, "mcp-auth-conformance: --%s: %s\n", flag, trouble)
	}
	for _, remark := range survey.Remarks {
		fmt.Fprintf(out, "mcp-auth-conformance: %s\n", remark)
	}
}

// refusedSignIn returns an error if the server refuses the token that --sign-in gave. A failed
// check counts more.
func (o *serverOptions) refusedSignIn(survey *servers.Survey) error {
	for _, trouble := range survey.Troubles {
		if trouble.Token == servers.Good && o.sourceOf(servers.Good) == "sign-in" {
			return &signin.Refused{Step: "token of the sign-in", Body: trouble.Reason}
		}
	}
	return nil
}

// sourceOf returns the flag that gives the token of a kind.
func (o *serverOptions) sourceOf(kind servers.TokenKind) string {
	name := o.tokenFiles[kind]
	switch {
	case name != nil && *name != "":
	case o.signIn:
		return "sign-in"
	case o.fake != "":
		return "fakeentra"
	case o.rig.address != "":
		return "rig"
	}
	return tokenFlag(kind)
}

func readTarget(ctx context.Context, address string, options serverOptions) (*servers.Target, error) {
	parsed, err := url.Parse(address)
	if err == nil && strings.Contains(address, "#") {
		return nil, fmt.Errorf("want an MCP endpoint's URL without a fragment, got %q", address)
	}
	if err != nil || !isEndpoint(parsed) {
		return nil, fmt.Errorf("want an MCP endpoint's URL, for example http://localhost:8000/mcp, got %q", address)
	}
	client, err := httpClient(options.caFile)
	if err != nil {
		return nil, err
	}
	target := &servers.Target{
		URL:         address,
		HTTPClient:  client,
		Tokens:      map[servers.TokenKind]func(context.Context) (string, error){},
		FirstAnswer: options.timeout,
	}
	for _, revision := range options.revisions {
		if !slices.Contains(check.Revisions(), check.Revision(revision)) {
			return nil, fmt.Errorf("--revision: want one of %s, got %q", revisionsOf(check.Revisions()), revision)
		}
		target.Revisions = append(target.Revisions, check.Revision(revision))
	}
	if err := options.tools.fill(target); err != nil {
		return nil, err
	}
	if options.local {
		addresses, err := networkAddresses(parsed.Hostname())
		if err != nil {
			return nil, err
		}
		target.Local = addresses
	}
	for kind, name := range options.tokenFiles {
		if *name == "" {
			continue
		}
		token, err := readToken(*name)
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", tokenFlag(kind), err)
		}
		target.Tokens[kind] = func(context.Context) (string, error) { return token, nil }
	}
	var signedIn map[servers.TokenKind]func(context.Context) (string, error)
	if options.signIn {
		if target.Tokens[servers.Good] != nil {
			return nil, errors.New("--sign-in and --token-file both give the good token; use only one of them")
		}
		secret, err := options.client.secret()
		if err != nil {
			return nil, err
		}
		if err := servers.Reach(ctx, *target); err != nil {
			return nil, err
		}
		signIn := signin.SignIn{
			URL:           address,
			Open:          openPage,
			HTTPClient:    target.HTTPClient,
			Timeout:       options.signInTimeout,
			OtherResource: options.otherResource,
			ClientID:      options.client.id,
			ClientSecret:  secret,
		}
		if options.client.id != "" {
			signIn.RedirectURI = options.client.redirect
		}
		signedIn, err = signIn.Tokens(ctx)
		if err != nil {
			return nil, err
		}
		target.Tokens[servers.Good] = signedIn[servers.Good]
	}
	if options.fake != "" {
		fake, err := admin.Connect(ctx, options.fake)
		if err != nil {
			return nil, fmt.Errorf("--fakeentra: %w", err)
		}
		if err := servers.FillFromFake(ctx, target, fake); err != nil {
			return nil, fmt.Errorf("--fakeentra: %w", err)
		}
	}
	if options.issuerKey != "" {
		if err := mintTokens(ctx, target, options.issuerKey); err != nil {
			return nil, err
		}
	}
	for kind, supply := range signedIn {
		if target.Tokens[kind] == nil {
			target.Tokens[kind] = supply
		}
	}
	return target, nil
}

// isEndpoint reports whether a URL can be an MCP endpoint.
func isEndpoint(address *url.URL) bool {
	isWeb := address.Scheme == "http" || address.Scheme == "https"
	return isWeb && address.Host != "" && address.User == nil
}

// networkAddresses returns the addresses at which other machines can reach this one. The server
// itself must be on loopback.
func networkAddresses(host string) ([]string, error) {
	if address, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !address.IsLoopback()) {
		return nil, fmt.Errorf(
			"--local: want a server at localhost or another loopback address, got the host %q",
			host,
		)
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("--local: %w", err)
	}
	found := []string{}
	for _, address := range all {
		if network, ok := address.(*net.IPNet); ok && network.IP.IsGlobalUnicast() {
			found = append(found, network.IP.String())
		}
	}
	return found, nil
}

// maxToken bounds a token file in bytes.
const maxToken = 64 << 10

func readToken(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if info.Size() > maxToken {
		return "", fmt.Errorf("%s: want one token, at most %d bytes, got %d bytes", name, maxToken, info.Size())
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("%s: want exactly one token, without spaces inside", name)
	}
	return token, nil
}

func httpClient(caFile string) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = exchange.MaxHeader
	transport.IdleConnTimeout = exchange.IdleTimeout
	if caFile != "" {
		pool, err := certificates(caFile)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}, nil
}

// certificates returns the certificate authorities of the system and of a PEM file.
func certificates(caFile string) (*x509.CertPool, error) {
	text, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("--ca-file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--ca-file: want a PEM file with a certificate, but %s has none", caFile)
	}
	return pool, nil
}
