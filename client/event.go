package client

import "time"

// An Event is a step of a sign-in. Config.Trace receives it. No event holds a secret.
type Event interface{ event() }

type (
	// Challenged reports that the server refused a request with a challenge.
	Challenged struct {
		Method    string
		URL       string
		Status    int
		Challenge string // the WWW-Authenticate header, cut to 1,000 bytes
	}
	// ResourceFound reports the server's protected resource metadata. Location is empty without
	// metadata, as at servers of MCP 2025-03-26.
	ResourceFound struct {
		Location             string
		Resource             string
		AuthorizationServers []string
	}
	// IssuerFound reports the authorization server's metadata. Location is empty if the default
	// paths are used.
	IssuerFound struct {
		Location              string
		Issuer                string
		AuthorizationEndpoint string
		TokenEndpoint         string
	}
	// Registered reports the client ID of this program at the authorization server.
	Registered struct {
		ClientID      string
		AuthMethod    string
		Preregistered bool
		Document      bool // the client ID is the URL of a client ID metadata document
	}
	// PageReady reports the authorization page that is about to be opened. With Paste the person
	// opens it, and brings back the address at which the browser ends.
	PageReady struct {
		URL         string
		RedirectURI string
		Paste       bool
	}
	// BrowserFailed reports that no browser was opened. The Transport still waits for the answer,
	// so a person can open the page.
	BrowserFailed struct {
		URL         string
		RedirectURI string
		Reason      string
	}
	// PasteRefused reports that the person pasted a wrong address. Config.Paste is called again, at
	// most Left times.
	PasteRefused struct {
		Reason string
		Left   int
	}
	// DeviceReady reports where a person approves on another device, and with which code. Complete
	// is the address that already holds the code; it may be empty.
	DeviceReady struct {
		URL      string
		Complete string
		UserCode string
		Lifetime time.Duration
	}
	// Answered reports that the authorization server's answer has arrived and belongs to this
	// sign-in. Issuer is its parameter iss; it may be empty.
	Answered struct{ Issuer string }
	// Issued reports a token. Refreshed means that it replaced one by the refresh token.
	Issued struct {
		Scopes    []string
		Lifetime  time.Duration // from now; zero if the server names none
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
