package client

import "time"

// An Event is a step of a sign-in, as told to Config.Trace. None holds a secret.
type Event interface{ event() }

type (
	// Challenged: the server refused a request.
	Challenged struct {
		Method, URL string
		Status      int
		Challenge   string // the WWW-Authenticate header, cut to 1,000 characters
	}
	// ResourceFound: the server's protected resource metadata. Location is empty when it has none,
	// as servers of MCP 2025-03-26.
	ResourceFound struct {
		Location, Resource   string
		AuthorizationServers []string
	}
	// IssuerFound: the authorization server's metadata. Location is empty when default paths are
	// used.
	IssuerFound struct {
		Location, Issuer, AuthorizationEndpoint, TokenEndpoint string
	}
	// Registered: the client ID that the authorization server knows this program by.
	Registered struct {
		ClientID      string
		AuthMethod    string
		Preregistered bool
		Document      bool // the client ID is the address of a client ID metadata document
	}
	// PageReady: the authorization page, about to be opened; with Paste the person opens it, and
	// brings back the address that the browser ends at.
	PageReady struct {
		URL, RedirectURI string
		Paste            bool
	}
	// BrowserFailed: no browser was opened. A person can open the page, and the answer is waited
	// for.
	BrowserFailed struct {
		URL, RedirectURI, Reason string
	}
	// PasteRefused: what the person pasted is not the answer, and why. Config.Paste is called
	// again, at most Left times.
	PasteRefused struct {
		Reason string
		Left   int
	}
	// DeviceReady: where to approve on another device, and with which code. Complete is the address
	// that holds the code already, empty where there is none.
	DeviceReady struct {
		URL, Complete, UserCode string
		Lifetime                time.Duration
	}
	// Answered: the authorization server's answer has arrived and belongs to this sign-in. Issuer
	// is what it says it comes from, empty when it does not say.
	Answered struct{ Issuer string }
	// Issued: there is a token. Refreshed tells whether it came of a refresh token.
	Issued struct {
		Scopes    []string
		Lifetime  time.Duration // from now; zero when the server does not say
		Renewable bool
		Refreshed bool
		Bound     bool // to a key (RFC 9449)
	}
)

func (Challenged) event()    {}
func (ResourceFound) event() {}
func (IssuerFound) event()   {}
func (Registered) event()    {}
func (PageReady) event()     {}
func (BrowserFailed) event() {}
func (PasteRefused) event()  {}
func (DeviceReady) event()   {}
func (Answered) event()      {}
func (Issued) event()        {}
