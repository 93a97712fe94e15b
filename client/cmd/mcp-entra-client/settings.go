package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"mcpentra/client"
	"mcpentra/client/internal/console"
	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
)

type flagValues struct {
	typed                                                            string // the address as it was given
	url, account, revision, caFile, envFile, tokenStore, elicitation string
	scopes                                                           []string
	noBrowser, paste, deviceCode, quiet                              bool
	timeout, requestTimeout                                          time.Duration

	clientID, clientSecretFile, clientKeyFile, clientKeyAlg, clientKeyID string
	clientIssuer, clientDocument, redirectURI                            string

	clientCredentials, dpop, noResource, unadvertisedPKCE   bool
	tenants, issuerRootSlash, resourceAbove                 bool
	assertionFile, idTokenFile, tokenCommand                string
	idpIssuer, idpTokenEndpoint, idpClientID, idpSecretFile string
}

func (f *flagValues) add(set *pflag.FlagSet) {
	set.SortFlags = false
	set.StringVar(&f.url, "url", "", "the MCP server's `URL` (MCP_URL); can be given without the flag")
	set.StringVar(
		&f.account,
		"account",
		"",
		"a `NAME` of your choosing for one of several accounts at a server (MCP_ACCOUNT)",
	)
	set.StringSliceVar(
		&f.scopes,
		"scope",
		nil,
		"ask for this scope besides those that the server names; can be repeated",
	)
	set.BoolVar(
		&f.noBrowser,
		"no-browser",
		false,
		"print the authorization page's address and wait, without opening a browser",
	)
	set.BoolVar(&f.paste, "paste", false, "print the page's address, and read the address that the browser ends at")
	set.BoolVar(&f.deviceCode, "device-code", false, "approve on another device, with a code")
	set.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long to wait for the person at the browser")
	set.DurationVar(&f.requestTimeout, "request-timeout", 0, "end a request of the sign-in after this `TIME` (30s)")
	set.StringVar(&f.redirectURI, "redirect-uri", "", "the `URL` to wait for the answer at (MCP_REDIRECT_URI)")
	set.StringVar(
		&f.clientID,
		"client-id",
		"",
		"the client `ID` that the authorization server has given you (MCP_CLIENT_ID)",
	)
	set.StringVar(
		&f.clientSecretFile,
		"client-secret-file",
		"",
		"its secret is in `FILE`; - is standard input (MCP_CLIENT_SECRET)",
	)
	set.StringVar(&f.clientKeyFile, "client-key-file", "", "its private key is in `FILE`, in PEM (MCP_CLIENT_KEY_FILE)")
	set.StringVar(&f.clientKeyAlg, "client-key-alg", "", "sign with `ALG`: ES256, RS256 or PS256 (what fits the key)")
	set.StringVar(&f.clientKeyID, "client-key-id", "", "the key's `ID`, if it has one")
	set.StringVar(
		&f.clientIssuer,
		"client-issuer",
		"",
		"the only authorization server, by its issuer `URL`, that the client ID is for (MCP_CLIENT_ISSUER)",
	)
	set.StringVar(
		&f.clientDocument,
		"client-metadata-url",
		"",
		"the `URL` of a client ID metadata document (MCP_CLIENT_METADATA_URL)",
	)
	set.BoolVar(&f.clientCredentials, "client-credentials", false, "no person: the client's own secret or key")
	set.StringVar(&f.assertionFile, "assertion-file", "", "no person: the workload's identity, a JWT, is in `FILE`")
	set.StringVar(
		&f.idTokenFile,
		"id-token-file",
		"",
		"no page: your identity provider's ID token is in `FILE` (MCP_ID_TOKEN)",
	)
	set.StringVar(&f.idpIssuer, "idp-issuer", "", "the identity provider's issuer `URL`")
	set.StringVar(
		&f.idpTokenEndpoint,
		"idp-token-endpoint",
		"",
		"the identity provider's token endpoint `URL`, instead of looking it up",
	)
	set.StringVar(&f.idpClientID, "idp-client-id", "", "the client `ID` at the identity provider")
	set.StringVar(&f.idpSecretFile, "idp-client-secret-file", "", "its secret is in `FILE` (MCP_IDP_CLIENT_SECRET)")
	set.StringVar(
		&f.tokenCommand,
		"token-command",
		"",
		"get the access token from this `COMMAND`; split into words, never run by a shell (or MCP_TOKEN)",
	)
	set.BoolVar(&f.dpop, "dpop", false, "bind tokens to a key (RFC 9449) where the authorization server offers it")
	set.BoolVar(
		&f.unadvertisedPKCE,
		"entra-unadvertised-pkce",
		false,
		"sign in where PKCE is not advertised, as at Entra ID",
	)
	set.BoolVar(
		&f.noResource,
		"entra-no-resource",
		false,
		"leave out the resource parameter, which Entra ID may refuse",
	)
	set.BoolVar(&f.tenants, "entra-tenants", false, "take Entra ID's organizations and common, and keep to one tenant")
	set.BoolVar(&f.issuerRootSlash, "issuer-root-slash", false, "overlook a slash after the host of an issuer")
	set.BoolVar(&f.resourceAbove, "resource-above", false, "take metadata for a path above the server's, or its origin")
	set.StringVar(
		&f.tokenStore,
		"token-store",
		"",
		"keep tokens in `WHERE`: file, file:FOLDER, memory, or command:WORDS (MCP_TOKEN_STORE)",
	)
	set.StringVar(
		&f.elicitation,
		"elicitation",
		"",
		"answer the server's forms with their `default`s; without it the server is told that forms are not answered",
	)
	set.StringVar(
		&f.revision,
		"protocol-version",
		"",
		"speak this `REVISION` of MCP and no other: "+strings.Join(console.Revisions(), ", "),
	)
	set.StringVar(&f.caFile, "ca-file", "", "trust the certificate authorities of this PEM `FILE` too")
	set.StringVar(&f.envFile, "env", "", "read settings from `FILE` too; without it no file is read")
	set.BoolVar(&f.quiet, "quiet", false, "do not print the steps, but what you have to open or type")
}

// settings are the flags, completed from the environment and the file.
type settings struct {
	*flagValues
	value      func(string) string
	kept       string // where tokens are kept, in words
	extensions []string
}

// settings looks up what is not given as a flag in the environment, and then in the file that --env
// names. It does not look at the server's own keys, AUTH_ and so on.
func (f *flagValues) settings() (*settings, error) {
	file, err := readEnvFile(f.envFile)
	if err != nil {
		return nil, err
	}
	if f.envFile == "" {
		tellUnread(os.Stderr)
	}
	s := &settings{
		flagValues: f,
		value: func(key string) string {
			if set, present := os.LookupEnv(key); present {
				return set
			}
			return file[key]
		},
	}
	for key, flag := range map[string]*string{
		"MCP_URL":                 &f.url,
		"MCP_ACCOUNT":             &f.account,
		"MCP_CLIENT_ID":           &f.clientID,
		"MCP_CLIENT_SECRET_FILE":  &f.clientSecretFile,
		"MCP_CLIENT_KEY_FILE":     &f.clientKeyFile,
		"MCP_CLIENT_ISSUER":       &f.clientIssuer,
		"MCP_CLIENT_METADATA_URL": &f.clientDocument,
		"MCP_REDIRECT_URI":        &f.redirectURI,
		"MCP_ID_TOKEN_FILE":       &f.idTokenFile,
		"MCP_TOKEN_STORE":         &f.tokenStore,
	} {
		if *flag == "" {
			*flag = s.value(key)
		}
	}
	f.typed = f.url
	f.url = withScheme(f.url)
	if f.revision != "" && !slices.Contains(console.Revisions(), f.revision) {
		return nil, fmt.Errorf(
			"--protocol-version: want one of %s, got %q",
			strings.Join(console.Revisions(), ", "),
			f.revision,
		)
	}
	if f.requestTimeout < 0 {
		return nil, fmt.Errorf("--request-timeout: want a time such as 10s, got %s", f.requestTimeout)
	}
	if f.elicitation != "" && f.elicitation != console.ElicitDefaults {
		return nil, fmt.Errorf("--elicitation: want %s, got %q", console.ElicitDefaults, f.elicitation)
	}
	return s, nil
}

// config is the library's configuration.
func (s *settings) config(ctx context.Context) (config client.Config, closeAll func(), err error) {
	if s.url == "" {
		return config, nil, errors.New("which server? give its URL, such as http://localhost:8000/mcp, or set MCP_URL")
	}
	base, err := transport(s.caFile)
	if err != nil {
		return config, nil, err
	}
	config = client.Config{
		Server:         s.url,
		Account:        s.account,
		Scopes:         s.scopes,
		Base:           base,
		ClientID:       s.clientID,
		ClientIssuer:   s.clientIssuer,
		ClientDocument: s.clientDocument,
		DeviceCode:     s.deviceCode,
		RedirectURI:    s.redirectURI,
		SignInTimeout:  s.timeout,
		DPoP:           s.dpop,
		Entra: client.EntraExceptions{
			UnadvertisedPKCE: s.unadvertisedPKCE,
			NoResource:       s.noResource,
			Tenants:          s.tenants,
		},
		Relax:           client.Relaxations{IssuerRootSlash: s.issuerRootSlash, ResourceAbove: s.resourceAbove},
		ProtocolVersion: s.revision,
		RequestTimeout:  s.requestTimeout,
	}
	if err := errors.Join(s.browse(&config), s.know(&config), s.unattended(&config)); err != nil {
		return config, nil, err
	}
	if config.Tokens, err = s.tokens(ctx, config.Unattended != nil || config.Token != nil); err != nil {
		return config, nil, err
	}
	return config, base.CloseIdleConnections, nil
}

// browse says how a person gets to the page.
func (s *settings) browse(config *client.Config) (err error) {
	if config.Browser, err = signin.OpenWith(s.value("BROWSER")); err != nil {
		return err
	}
	atTerminal := term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd()))
	config.Browser = forPerson(config.Browser, atTerminal)
	if s.noBrowser {
		config.Browser = func(context.Context, string) error { return nil }
	}
	if s.paste {
		config.Paste = func(ctx context.Context) (string, error) { return console.ReadPasted(ctx, os.Stdin, os.Stderr) }
	}
	return nil
}

// forPerson goes on waiting when $BROWSER has failed: the person at the terminal can open the
// page. A script has no such person, so its $BROWSER ends the sign-in.
func forPerson(browser signin.Browser, atTerminal bool) signin.Browser {
	return func(ctx context.Context, address string) error {
		err := browser(ctx, address)
		var already *signin.NotOpenedError
		switch {
		case err == nil || errors.As(err, &already) || signin.CheckPage(address) != nil:
			return err
		case !atTerminal:
			return fmt.Errorf("%w; without a browser on this machine use --paste or --no-browser", err)
		}
		return &signin.NotOpenedError{Err: err}
	}
}

// know says what the authorization server knows the program as.
func (s *settings) know(config *client.Config) (err error) {
	config.ClientSecret = s.value("MCP_CLIENT_SECRET")
	if s.clientSecretFile != "" {
		if config.ClientSecret, err = readSecret("--client-secret-file", s.clientSecretFile); err != nil {
			return err
		}
	}
	if s.clientKeyFile != "" {
		text, err := readFile("--client-key-file", s.clientKeyFile)
		if err != nil {
			return err
		}
		config.ClientKey, err = tokenrequest.ReadKey(text, s.clientKeyAlg, s.clientKeyID)
		if err != nil {
			return fmt.Errorf("--client-key-file: %w", err)
		}
	}
	return nil
}

// The names by which MCP knows the extensions for those without a page.
const (
	extensionClientCredentials = "io.modelcontextprotocol/oauth-client-credentials"
	extensionEnterprise        = "io.modelcontextprotocol/enterprise-managed-authorization"
)

// unattended says how to get tokens without a page.
func (s *settings) unattended(config *client.Config) error {
	var chosen []string
	if s.clientCredentials {
		chosen = append(chosen, "--client-credentials")
		config.Unattended = client.ClientCredentials{}
		s.extensions = []string{extensionClientCredentials}
	}
	if s.assertionFile != "" {
		chosen = append(chosen, "--assertion-file")
		config.Unattended = client.Workload{
			Assertion: func(context.Context) (string, error) { return readSecret("--assertion-file", s.assertionFile) },
		}
	}
	if s.idpClientID != "" {
		chosen = append(chosen, "--idp-client-id")
		idToken := func(context.Context) (string, error) { return s.value("MCP_ID_TOKEN"), nil }
		switch {
		case s.idTokenFile != "":
			idToken = func(context.Context) (string, error) { return readSecret("--id-token-file", s.idTokenFile) }
		case s.value("MCP_ID_TOKEN") == "":
			return errors.New("--idp-client-id: want an ID token, in --id-token-file or MCP_ID_TOKEN")
		}
		secret := s.value("MCP_IDP_CLIENT_SECRET")
		if s.idpSecretFile != "" {
			var err error
			if secret, err = readSecret("--idp-client-secret-file", s.idpSecretFile); err != nil {
				return err
			}
		}
		config.Unattended = client.Enterprise{
			IDToken:       idToken,
			Issuer:        s.idpIssuer,
			TokenEndpoint: s.idpTokenEndpoint,
			ClientID:      s.idpClientID,
			ClientSecret:  secret,
		}
		s.extensions = []string{extensionEnterprise}
	}
	if token := s.value("MCP_TOKEN"); token != "" {
		chosen = append(chosen, "MCP_TOKEN")
		config.Token = func(context.Context) (string, error) { return token, nil }
	}
	if s.tokenCommand != "" {
		chosen = append(chosen, "--token-command")
		words, err := signin.SplitWords(s.tokenCommand)
		if err != nil || len(words) == 0 {
			return fmt.Errorf("--token-command: want a command, got %q", s.tokenCommand)
		}
		config.Token = func(ctx context.Context) (string, error) { return tokenOf(ctx, words) }
	}
	if len(chosen) > 1 {
		return fmt.Errorf("%s: more than one way to get a token", strings.Join(chosen, ", "))
	}
	return nil
}

// maxSecret bounds a file or an output that holds one.
const maxSecret = 1 << 20

// tokenOf runs a command that prints a token.
func tokenOf(ctx context.Context, words []string) (string, error) {
	run := exec.CommandContext(ctx, words[0], words[1:]...)
	run.Stderr = os.Stderr // the person's own program
	out, err := run.Output()
	if err != nil {
		return "", fmt.Errorf("--token-command: %s: %w", words[0], err)
	}
	if len(out) > maxSecret {
		return "", fmt.Errorf("--token-command: %s: more than %d bytes", words[0], maxSecret)
	}
	return string(bytes.TrimSpace(out)), nil
}

func readFile(flag, name string) ([]byte, error) {
	file := os.Stdin
	if name != "-" {
		opened, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		defer opened.Close()
		file = opened
	}
	text, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	if len(text) > maxSecret {
		return nil, fmt.Errorf("%s: more than %d bytes", flag, maxSecret)
	}
	return text, nil
}

// readSecret reads a file that holds one secret, with or without a line feed after it.
func readSecret(flag, name string) (string, error) {
	text, err := readFile(flag, name)
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s: %s is empty", flag, name)
	}
	return secret, nil
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
