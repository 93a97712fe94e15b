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

// A Config says what to sign in to, and how. Server is required. Without anything else a person
// signs in with the system's browser.
type Config struct {
	// Server is the URL of the MCP endpoint: https, or http on loopback.
	Server string
	// Account is a name of the user's choosing for one of several accounts at the server. Empty is
	// the only one.
	Account string
	// Scopes are asked for besides those that the server names; or instead of them by a client
	// without a person, whose operator knows.
	Scopes []string

	// Name is what the program registers as. Empty means "mcp-entra-client".
	Name string
	// ClientID is of a client that was registered beforehand, and ClientSecret or ClientKey what it
	// authenticates with, if anything. With an empty ClientID the program uses ClientDocument, or
	// registers itself.
	ClientID, ClientSecret string
	ClientKey              *tokenrequest.Key
	// ClientIssuer is the authorization server that knows the ClientID. Empty means the first one
	// that the server names; the secret is sent to no other afterwards.
	ClientIssuer string
	// ClientDocument is the URL of a client ID metadata document, which stands for the program
	// where the authorization server takes such (MCP 2025-11-25).
	ClientDocument string

	// Browser opens the authorization page. Nil means the system's browser. After a
	// *signin.NotOpenedError the answer is waited for all the same, and the event BrowserFailed
	// tells.
	Browser signin.Browser
	// Paste returns the address that a browser elsewhere has ended at, as the person has copied it.
	// Nil means that the program waits for the answer itself. With Paste nothing is opened: the
	// page's address is in the event PageReady. It is called again after a wrong paste.
	Paste func(ctx context.Context) (string, error)
	// DeviceCode has the person approve on another device (RFC 8628): the event DeviceReady says
	// where, and with which code.
	DeviceCode bool
	// RedirectURI is where the answer is waited for: http on a loopback address. Without a port it
	// is a free one. Empty means http://localhost/callback. With Paste it can be any.
	RedirectURI string
	// SignInTimeout is how long a person may take. Zero means five minutes.
	SignInTimeout time.Duration

	// Unattended gets tokens without a person: ClientCredentials, Workload or Enterprise. Nil means
	// that a person signs in.
	Unattended Unattended
	// Token gets an access token from elsewhere, such as a secret store. If the server refuses it,
	// it is got once more, and nothing else is tried. Nil means that tokens come from the
	// authorization server.
	Token func(ctx context.Context) (string, error)

	// DPoP binds tokens to a key that never leaves this program (RFC 9449), where the authorization
	// server offers that. They are bound in any case where the server demands it.
	DPoP bool
	// Entra says where to depart from MCP for Entra ID as the authorization server. Its zero value
	// departs nowhere.
	Entra EntraExceptions
	// Relax says where else to be more tolerant than MCP. Its zero value is tolerant nowhere.
	Relax Relaxations

	// Tokens keeps registrations and tokens. Nil means memory of the Transport's own.
	Tokens tokenstore.Store
	// Base sends the requests. Nil means http.DefaultTransport.
	Base http.RoundTripper
	// LookupIP looks names up that the server has chosen, for the addresses to be checked before a
	// request goes there (see README.md, What it will not do). It is asked where Base is an
	// *http.Transport and Server is not on this machine; whatever Base then connects to is checked as well. Nil means the system's resolver.
	LookupIP func(ctx context.Context, host string) ([]netip.Addr, error)
	// RequestTimeout bounds each request for metadata, a registration, a token or a revocation, its
	// answer included. Zero means ten seconds for metadata and thirty for the rest, which are the
	// most in any case.
	RequestTimeout time.Duration
	// ProtocolVersion is sent with requests for metadata. Empty means 2025-11-25.
	ProtocolVersion string
	// Trace hears of every step, never of a secret. It may be called from several goroutines. Nil
	// hears nothing.
	Trace func(Event)
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Pause waits between two questions for the token of a device code, and comes back early with
	// the context's error. Nil waits that long.
	Pause func(ctx context.Context, d time.Duration) error
}

// EntraExceptions are the departures from MCP 2025-11-25 without which nobody signs in at Entra ID
// itself. Each weakens a check, so each has to be asked for.
type EntraExceptions struct {
	// UnadvertisedPKCE goes on where an authorization server does not say that it does PKCE, as
	// Entra ID does not, although it does it. PKCE is used in any case. Nothing then tells an
	// authorization server that ignores it.
	UnadvertisedPKCE bool
	// NoResource leaves out the parameter resource, which Entra ID refuses (AADSTS9010010) unless
	// it is an identifier URI of the application that the scopes belong to. The scopes alone say
	// then whom the token is for.
	NoResource bool
	// Tenants takes Entra ID's names for all tenants, organizations and common, as authorization
	// servers. Their metadata has a template as issuer. The ID token of a sign-in says which tenant
	// it is, and a later token of another tenant is refused.
	Tenants bool
}

// Relaxations are rules of metadata that some servers break. Each weakens a check, so each has to
// be asked for.
type Relaxations struct {
	// IssuerRootSlash overlooks that one of two issuers is an origin, and the other the same with a
	// slash. The parameter iss of an answer (RFC 9207) still has to be the issuer of the metadata
	// to the letter.
	IssuerRootSlash bool
	// ResourceAbove takes metadata for the server's origin, or for a path above the server's, where
	// RFC 9728 section 3.3 wants the server's own. The token is then one for that resource.
	ResourceAbove bool
}

// ReadServerURL says what is wrong with the URL of an MCP server, or returns it in the form that it
// is known by (MCP, Canonical Server URI): scheme and host in lower case, no fragment.
func ReadServerURL(text string) (*url.URL, error) {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" || parsed.Opaque != "" {
		return nil, fmt.Errorf("want the URL of an MCP server, such as http://localhost:8000/mcp, got %q", text)
	}
	parsed.Scheme, parsed.Host = strings.ToLower(parsed.Scheme), strings.ToLower(parsed.Host)
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

// isPort reports whether a port can be one. Without one it is that of the scheme.
func isPort(port string) bool {
	number, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && number > 0
}

func (c *Config) fill() error {
	if c.Base == nil {
		c.Base = http.DefaultTransport
	}
	if c.Name == "" {
		c.Name = "mcp-entra-client"
	}
	if c.RedirectURI == "" {
		// The name, not the address: authorization servers like Entra ID ignore the port of
		// localhost only, and the listener takes both loopback addresses.
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
		var err error
		if c.Browser, err = signin.OpenWith(""); err != nil {
			return err
		}
	}
	return c.check()
}

const defaultRedirectURI = "http://localhost/callback"

// check says what does not go together.
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
		return errors.New("client: both a secret and a key: a client authenticates one way")
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

// outbound sends requests for metadata, registrations and tokens, which never carry the token of
// the server, by a transport.
func (c *Config) outbound(by http.RoundTripper) *http.Client {
	return &http.Client{Transport: by, Timeout: c.RequestTimeout}
}

// SignInError says that there is no token because a sign-in is needed and did not happen, or was
// refused.
type SignInError struct{ Err error }

// Error says sign-in once, however many steps have wrapped the error on its way.
func (e *SignInError) Error() string {
	text := e.Err.Error()
	var inner *SignInError
	if errors.As(e.Err, &inner) && strings.HasPrefix(text, "sign-in: ") {
		return text
	}
	return "sign-in: " + text
}

// Unwrap returns the reason.
func (e *SignInError) Unwrap() error { return e.Err }

// ErrSignedOut says that somebody has signed out, and Reset was not called since.
var ErrSignedOut = errors.New("you have signed out here")

// ErrNoAnswer says that nobody finished the sign-in in time.
var ErrNoAnswer = errors.New("no answer came from the browser in time; if its window was closed, start again")
