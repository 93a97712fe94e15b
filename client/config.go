package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

// Config sets up a Transport. Only Server is required. If all else is zero, a person signs in with
// the system's browser.
type Config struct {
	// Server is the URL of the MCP endpoint: https, or http on loopback.
	Server string
	// Account tells several accounts at one server apart. The user chooses the name. Empty means
	// the only account.
	Account string
	// Scopes are requested in addition to the scopes that the server names. With Unattended they
	// replace the server's scopes, because the operator knows what the job needs.
	Scopes []string

	// Name is the client name in a registration. Empty means "mcp-entra-client".
	Name string
	// ClientID names a client that was registered beforehand. Empty means that the program uses
	// ClientDocument, or registers itself.
	ClientID string
	// ClientSecret authenticates the client named by ClientID. Empty means ClientKey, or a public
	// client.
	ClientSecret string
	// ClientKey authenticates the client named by ClientID with signed assertions. Nil means
	// ClientSecret, or a public client.
	ClientKey *tokenrequest.Key
	// ClientIssuer is the authorization server that issued ClientID. Empty means the first one that
	// the server names. Afterwards the secret goes to no other one.
	ClientIssuer string
	// ClientDocument is the URL of the program's client ID metadata document (MCP 2025-11-25). It
	// is the client ID at authorization servers that accept these documents.
	ClientDocument string

	// Browser opens the authorization page. Nil means the system's browser. If it returns a
	// *signin.NotOpenedError, the Transport emits BrowserFailed and keeps waiting for the answer.
	Browser signin.Browser
	// Paste returns the address at which a browser on another machine ended, as the person copied
	// it. The Transport opens nothing: the event PageReady holds the page's address. After a wrong
	// paste, Paste is called again. Nil means that the Transport listens for the answer itself.
	Paste func(ctx context.Context) (string, error)
	// DeviceCode makes the person approve on another device (RFC 8628). The event DeviceReady holds
	// the page's address and the code.
	DeviceCode bool
	// RedirectURI is where the Transport listens for the answer: http on a loopback address.
	// Without a port, the system chooses a free one. Empty means http://localhost/callback. With
	// Paste it can be any URI.
	RedirectURI string
	// SignInTimeout bounds how long a person may take. Zero means five minutes.
	SignInTimeout time.Duration

	// Unattended gets tokens without a person: ClientCredentials, Workload or Enterprise. Nil means
	// that a person signs in.
	Unattended Unattended
	// Token gets an access token from another source, such as a secret store. If the server refuses
	// the token, Token is called once more, and the Transport tries nothing else. Nil means that
	// tokens come from the authorization server.
	Token func(ctx context.Context) (string, error)

	// DPoP binds tokens to a key that never leaves this program (RFC 9449), if the authorization
	// server supports it. A server that requires bound tokens gets them in any case.
	DPoP bool
	// Entra departs from MCP where Entra ID itself is the authorization server. The zero value
	// departs nowhere.
	Entra EntraExceptions
	// Relax tolerates other violations of MCP. The zero value tolerates none.
	Relax Relaxations

	// Tokens keeps registrations and tokens. Nil means memory of this Transport alone.
	Tokens tokenstore.Store
	// Base sends the requests. Nil means http.DefaultTransport. A sign-in closes its idle
	// connections.
	Base http.RoundTripper
	// LookupIP resolves the host names that the server chooses, so that their addresses can be
	// checked before a request goes there (README.md, What it will not do). It is called if Base is
	// an *http.Transport and Server is on another machine. The address that Base then connects to
	// is checked too. Nil means the system's resolver.
	LookupIP func(ctx context.Context, host string) ([]netip.Addr, error)
	// RequestTimeout bounds each request for metadata, a registration, a token or a revocation,
	// including its answer. Zero means the maximum: ten seconds for metadata, thirty for the
	// others.
	RequestTimeout time.Duration
	// ProtocolVersion is sent with requests for metadata. Empty means 2025-11-25.
	ProtocolVersion string
	// Trace receives each step of a sign-in, without secrets. Several goroutines may call it. Nil
	// means that the steps are dropped.
	Trace func(Event)
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Pause waits between two polls for the token of a device code. It returns early with the
	// context's error. Nil waits for the whole duration.
	Pause func(ctx context.Context, d time.Duration) error
}

// EntraExceptions are the departures from MCP 2025-11-25 that a sign-in at Entra ID itself needs.
// Each weakens a check, so each is off by default.
type EntraExceptions struct {
	// UnadvertisedPKCE accepts an authorization server whose metadata does not mention PKCE, like
	// Entra ID's. PKCE is always sent. An authorization server that ignores it is then not noticed.
	UnadvertisedPKCE bool
	// NoResource leaves out the parameter resource. Entra ID refuses it (AADSTS9010010) unless it
	// is an identifier URI of the application that the scopes belong to. Without it, only the
	// scopes name the token's audience.
	NoResource bool
	// Tenants accepts organizations and common, Entra ID's names for all tenants, as authorization
	// servers. Their metadata has a template as issuer. The ID token of a sign-in names the tenant,
	// and later tokens of another tenant are refused.
	Tenants bool
}

// Relaxations are rules about metadata that some servers break. Each weakens a check, so each is
// off by default.
type Relaxations struct {
	// IssuerRootSlash accepts two issuers that differ only in the slash after the host. The
	// parameter iss of an answer (RFC 9207) must still equal the metadata's issuer exactly.
	IssuerRootSlash bool
	// ResourceAbove accepts metadata for the server's origin, or for a path above the server's,
	// where RFC 9728 section 3.3 requires the server's own. The token is then for that resource.
	ResourceAbove bool
}

// ReadServerURL checks the URL of an MCP server and returns its canonical form (MCP, Canonical
// Server URI): scheme and host in lower case, no fragment.
func ReadServerURL(text string) (*url.URL, error) {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" || parsed.Opaque != "" {
		return nil, fmt.Errorf("want the URL of an MCP server, such as http://localhost:8000/mcp, got %q", text)
	}
	parsed.Scheme = strings.ToLower(parsed.Scheme)
	parsed.Host = strings.ToLower(parsed.Host)
	parsed.Fragment = ""
	parsed.RawFragment = ""
	switch {
	case parsed.User != nil:
		return nil, errors.New("the URL holds a user name or password, which does not belong there")
	case !isPort(parsed.Port()):
		return nil, fmt.Errorf("want a port from 1 to 65535, got %s in %q", parsed.Port(), text)
	case parsed.Scheme == "https":
	case parsed.Scheme != "http":
		return nil, fmt.Errorf("want an https or http URL, got %q", text)
	case !discovery.IsLoopback(parsed.Hostname()):
		return nil, fmt.Errorf(
			"%s: a token must not travel over plain http; use https (http is for loopback addresses)",
			parsed,
		)
	}
	return parsed, nil
}

// isPort reports whether a port number is valid. An empty one means the scheme's default.
func isPort(port string) bool {
	number, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && number > 0
}

// defaultRedirectURI has the name, not the address: Entra ID and others ignore the port of
// localhost only. The listener takes both loopback addresses.
const defaultRedirectURI = "http://localhost/callback"

// setDefaults fills in what the caller left empty, and checks the whole.
func (c *Config) setDefaults() error {
	if c.Base == nil {
		c.Base = http.DefaultTransport
	}
	if c.Name == "" {
		c.Name = "mcp-entra-client"
	}
	if c.RedirectURI == "" {
		c.RedirectURI = defaultRedirectURI
	}
	if c.SignInTimeout == 0 {
		c.SignInTimeout = 5 * time.Minute
	}
	if c.ProtocolVersion == "" {
		c.ProtocolVersion = "2025-11-25"
	}
	if c.Tokens == nil {
		c.Tokens = &tokenstore.Memory{}
	}
	if c.Trace == nil {
		c.Trace = func(Event) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.LookupIP == nil {
		c.LookupIP = lookupIP
	}
	if c.Browser == nil {
		browser, err := signin.OpenWith("")
		if err != nil {
			return err
		}
		c.Browser = browser
	}
	return c.check()
}

// check refuses settings that contradict each other.
func (c *Config) check() error {
	ways := 0
	for _, chosen := range []bool{c.Paste != nil, c.DeviceCode, c.Unattended != nil, c.Token != nil} {
		if chosen {
			ways++
		}
	}
	switch {
	case ways > 1:
		return errors.New(
			"client: more than one way to get a token: want at most one of Paste, DeviceCode, Unattended and Token",
		)
	case c.ClientSecret != "" && c.ClientID == "":
		return errors.New("client: a client secret without a client ID")
	case c.ClientKey != nil && c.ClientID == "":
		return errors.New("client: a client key without a client ID")
	case c.ClientSecret != "" && c.ClientKey != nil:
		return errors.New("client: both a secret and a key; want one of them")
	case c.ClientIssuer != "" && c.ClientID == "":
		return errors.New("client: an issuer of the client ID without a client ID")
	}
	if c.ClientDocument != "" {
		if err := signin.CheckClientDocument(c.ClientDocument); err != nil {
			return err
		}
	}
	if c.Unattended != nil {
		return c.Unattended.check(c)
	}
	return nil
}

// httpClient sends the requests for metadata, registrations and tokens through a transport.
func (c *Config) httpClient(transport http.RoundTripper) *http.Client {
	return &http.Client{Transport: transport, Timeout: c.RequestTimeout}
}

// scopeParameter returns the parameter scope of token requests. It is empty except at Entra ID,
// where without the parameter resource only the scopes name the token's audience.
func (c *Config) scopeParameter(scopes []string) string {
	if !c.Entra.NoResource {
		return ""
	}
	return strings.Join(scopes, " ")
}
