package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
	"mcpentra/client/tokenstore"
)

// A Config says what to sign in to, and how. Server is required.
type Config struct {
	// Server is the URL of the MCP endpoint: https, or http on loopback.
	Server string
	// Base sends the requests. Nil means http.DefaultTransport.
	Base http.RoundTripper
	// Browser opens the authorization page. Nil means the system's browser.
	Browser signin.Browser
	// Name is what the program registers as. Empty means "mcp-entra-client".
	Name string
	// ClientID and ClientSecret are of a client that was registered beforehand. With an empty ClientID the program registers itself.
	ClientID, ClientSecret string
	// RedirectURI is where the answer is waited for: http on a loopback address. Without a port it is a free one. Empty means http://localhost/callback.
	RedirectURI string
	// Scopes are asked for besides those that the server names.
	Scopes []string
	// SignInTimeout is how long a person may take. Zero means five minutes.
	SignInTimeout time.Duration
	// ProtocolVersion is sent with requests for metadata. Empty means 2025-11-25.
	ProtocolVersion string
	// Tokens keeps registrations and tokens. Nil means memory of the Transport's own.
	Tokens *tokenstore.Memory
	// Trace hears of every step, never of a secret. It may be called from several goroutines. Nil hears nothing.
	Trace func(Event)
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// ReadServerURL says what is wrong with the URL of an MCP server, or returns it in the form that it is known by (MCP, Canonical Server URI): scheme and host in lower case, no
// fragment.
func ReadServerURL(text string) (*url.URL, error) {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" || parsed.Opaque != "" {
		return nil, fmt.Errorf("want the URL of an MCP server, such as http://localhost:8000/mcp, got %q", text)
	}
	parsed.Scheme, parsed.Host = strings.ToLower(parsed.Scheme), strings.ToLower(parsed.Host)
	parsed.Fragment, parsed.RawFragment = "", ""
	switch {
	case parsed.User != nil:
		return nil, errors.New("the URL holds a user name or password, which does not belong there")
	case parsed.Scheme == "https":
	case parsed.Scheme != "http":
		return nil, fmt.Errorf("want an https or http URL, got %q", text)
	case !discovery.IsLoopback(parsed.Hostname()):
		return nil, fmt.Errorf("%s: a token must not travel over plain http; use https (http is for loopback addresses)", parsed)
	}
	return parsed, nil
}

func (c *Config) fill() error {
	if c.Base == nil {
		c.Base = http.DefaultTransport
	}
	if c.Name == "" {
		c.Name = "mcp-entra-client"
	}
	if c.RedirectURI == "" {
		// The name, not the address: authorization servers like Entra ID ignore the port of localhost only, and the listener takes both loopback addresses.
		c.RedirectURI = "http://localhost/callback"
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
	if c.Browser == nil {
		var err error
		if c.Browser, err = signin.OpenWith(""); err != nil {
			return err
		}
	}
	if c.ClientSecret != "" && c.ClientID == "" {
		return errors.New("client: a client secret without a client ID")
	}
	return nil
}

// outbound sends requests for metadata, registrations and tokens, which never carry the token of the server.
func (c *Config) outbound() *http.Client { return &http.Client{Transport: c.Base} }

// SignInError says that there is no token because a sign-in is needed and did not happen, or was refused.
type SignInError struct{ Err error }

func (e *SignInError) Error() string { return "sign-in: " + e.Err.Error() }
func (e *SignInError) Unwrap() error { return e.Err }

// ErrNoAnswer says that nobody finished the sign-in in time.
var ErrNoAnswer = errors.New("no answer came from the browser in time; if its window was closed, start again")
