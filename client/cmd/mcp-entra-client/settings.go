package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"mcpentra/client"
	"mcpentra/client/internal/console"
	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
)

// settings are the flags, with the environment and the file of --env as defaults.
type settings struct {
	*flagValues
	file       map[string]string
	kept       string   // where tokens are kept, in words
	extensions []string // of MCP, for sign-ins without a page
}

// value returns a setting of the environment, or else of the file. The server's own keys, such as
// AUTH_TENANT_ID, are never read.
func (s *settings) value(key string) string {
	if value, present := os.LookupEnv(key); present {
		return value
	}
	return s.file[key]
}

// settings reads the environment and the file of --env, and checks the flags.
func (f *flagValues) settings() (*settings, error) {
	file, err := readEnvFile(f.envFile)
	if err != nil {
		return nil, err
	}
	if f.envFile == "" {
		tellUnread(os.Stderr)
	}
	s := &settings{flagValues: f, file: file}
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
	switch {
	case f.revision != "" && !slices.Contains(console.Revisions(), f.revision):
		known := strings.Join(console.Revisions(), ", ")
		return nil, fmt.Errorf("--protocol-version: want one of %s, got %q", known, f.revision)
	case f.requestTimeout < 0:
		return nil, fmt.Errorf("--request-timeout: want a time such as 10s, got %s", f.requestTimeout)
	case f.elicitation != "" && f.elicitation != console.ElicitDefaults:
		return nil, fmt.Errorf("--elicitation: want %s, got %q", console.ElicitDefaults, f.elicitation)
	}
	return s, nil
}

// config returns the client's Config, and a function that closes its connections.
func (s *settings) config() (config client.Config, closeAll func(), err error) {
	if s.url == "" {
		return config, nil, errors.New(
			"want the URL of an MCP server, such as http://localhost:8000/mcp; give it as an argument or set MCP_URL")
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
		Relax: client.Relaxations{
			IssuerRootSlash: s.issuerRootSlash,
			ResourceAbove:   s.resourceAbove,
		},
		ProtocolVersion: s.revision,
		RequestTimeout:  s.requestTimeout,
	}
	if err := errors.Join(s.setBrowser(&config), s.setCredentials(&config), s.setUnattended(&config)); err != nil {
		return config, nil, err
	}
	config.Tokens, err = s.openStore(config.Unattended != nil || config.Token != nil)
	if err != nil {
		return config, nil, err
	}
	return config, base.CloseIdleConnections, nil
}

// setBrowser decides how a person gets to the authorization page.
func (s *settings) setBrowser(config *client.Config) error {
	browser, err := signin.OpenWith(s.value("BROWSER"))
	if err != nil {
		return err
	}
	atTerminal := term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd()))
	config.Browser = forPerson(browser, atTerminal)
	if s.noBrowser {
		config.Browser = func(context.Context, string) error { return nil }
	}
	if s.paste {
		config.Paste = func(ctx context.Context) (string, error) { return console.ReadPasted(ctx, os.Stdin, os.Stderr) }
	}
	return nil
}

// forPerson keeps the program waiting after $BROWSER has failed, because the person at the terminal
// can open the page. A script has no person, so there a failed $BROWSER ends the sign-in.
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

// setCredentials reads the client's secret and key.
func (s *settings) setCredentials(config *client.Config) (err error) {
	config.ClientSecret = s.value("MCP_CLIENT_SECRET")
	if s.clientSecretFile != "" {
		config.ClientSecret, err = readSecret("--client-secret-file", s.clientSecretFile)
		if err != nil {
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

// The identifiers of MCP's extensions for sign-ins without a page.
const (
	extensionClientCredentials = "io.modelcontextprotocol/oauth-client-credentials"
	extensionEnterprise        = "io.modelcontextprotocol/enterprise-managed-authorization"
)

// setUnattended sets the way to get tokens without a page, if one was chosen.
func (s *settings) setUnattended(config *client.Config) error {
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
		enterprise, err := s.enterprise()
		if err != nil {
			return err
		}
		config.Unattended = enterprise
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
		config.Token = func(ctx context.Context) (string, error) { return runTokenCommand(ctx, words) }
	}
	if len(chosen) > 1 {
		return fmt.Errorf("%s: more than one way to get a token; want one", strings.Join(chosen, ", "))
	}
	return nil
}

// enterprise returns the sign-in with an organisation's identity provider.
func (s *settings) enterprise() (client.Enterprise, error) {
	enterprise := client.Enterprise{
		IDToken:       func(context.Context) (string, error) { return s.value("MCP_ID_TOKEN"), nil },
		Issuer:        s.idpIssuer,
		TokenEndpoint: s.idpTokenEndpoint,
		ClientID:      s.idpClientID,
		ClientSecret:  s.value("MCP_IDP_CLIENT_SECRET"),
	}
	switch {
	case s.idTokenFile != "":
		enterprise.IDToken = func(context.Context) (string, error) {
			return readSecret("--id-token-file", s.idTokenFile)
		}
	case s.value("MCP_ID_TOKEN") == "":
		return enterprise, errors.New("--idp-client-id: want an ID token, in --id-token-file or MCP_ID_TOKEN")
	}
	if s.idpSecretFile == "" {
		return enterprise, nil
	}
	var err error
	enterprise.ClientSecret, err = readSecret("--idp-client-secret-file", s.idpSecretFile)
	return enterprise, err
}

// transport returns the HTTP transport, with more certificate authorities from a file.
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
