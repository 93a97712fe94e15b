package lab

import (
	"net/http"
	"net/url"
	"time"

	"mcpentra/conformance/check"
)

// A Party is one of those in a lab. Each is an origin of its own.
type Party string

const (
	Server Party = "server" // the MCP server; of MCP 2025-03-26 also its authorization server
	Issuer Party = "issuer" // the authorization server that the MCP server names
	Second Party = "second" // another authorization server, in good order
	Trap   Party = "trap"   // has nothing; whoever comes here was led astray
	Proxy  Party = "proxy"  // what Task.Proxy names; it passes nothing on
)

// A Script says what is special about a lab. With its zero value everything is in order.
type Script struct {
	// Revision of MCP that the server speaks. Empty means that of the probe.
	Revision check.Revision
	// Open is a server that asks for no token.
	Open bool
	// Host is the name in the addresses, which has to be one of loopback. Empty means 127.0.0.1.
	// URL replaces the address that the client is given.
	Host string
	URL  func(l *Lab) string
	// Public gives the parties names of the public network, which lead to them through Task.Proxy
	// alone, and TLS.
	Public bool
	// TLS serves the MCP server and the authorization servers over https. Flaws are what is wrong
	// with a party's certificate.
	TLS   bool
	Flaws map[Party]Flaw

	// Path of the MCP endpoint. Empty means /mcp.
	Path string
	// Challenge is the WWW-Authenticate lines of a 401, instead of those that belong there.
	Challenge func(l *Lab) []string
	// Scope is the scope in the challenge of a 401, and Scopes the metadata's scopes_supported.
	// Empty ones are left out.
	Scope  string
	Scopes []string
	// ResourceAt is the paths where protected resource metadata stands; the first is in the
	// challenge. Nil means the path form.
	ResourceAt []string
	// Resource changes the metadata at a path.
	Resource func(l *Lab, path string, document map[string]any)
	// ToolScopes are what a token has to have for the tool to be called. StepUp says what is
	// demanded at the nth refusal, counted from 1, instead of ToolScopes; nil ends the refusing.
	ToolScopes []string
	StepUp     func(n int) []string
	// OldTokens is how many tokens are refused as expired when the tool is called, the first ones
	// that were issued.
	OldTokens int
	// Lenient lets everything through after the first 401.
	Lenient bool
	// Tool changes the description of the tool.
	Tool func(l *Lab, tool map[string]any)

	// ListTTL is how long the list of tools may be cached, for its own user alone (MCP 2026-07-28).
	ListTTL time.Duration

	// Stream answers a request at the MCP endpoint with an event stream of these messages; answer
	// is the right one. Nil answers with that as JSON.
	Stream func(l *Lab, r *Request, answer map[string]any) []any

	// IssuerPath is the path of the authorization servers' identifiers, such as /tenant1.
	IssuerPath string
	// IssuerAt is the paths where authorization server metadata stands. Nil means where RFC 8414
	// has it.
	IssuerAt []string
	// Metadata changes the metadata of an authorization server.
	Metadata func(l *Lab, party Party, path string, document map[string]any)
	// DefaultEndpoints serves /authorize, /token and /register instead of less usual paths.
	DefaultEndpoints bool
	// Secrets gives out a client secret at registration, to be used with this method.
	Secrets string
	// Registration changes the answer to a registration, and may change its status.
	Registration func(l *Lab, asked, answer map[string]any) (status int)
	// Answers are what comes back from the authorization page: all but the last are sent to the
	// redirect URI before the browser goes there with the last. Nil means what is right.
	Answers func(l *Lab, a *Authorization) []Answer
	// Refresh issues refresh tokens, a new one each time.
	Refresh bool
	// Token changes the answer to a token request, and may change its status. The parameters are
	// those of the request.
	Token func(l *Lab, party Party, form url.Values, answer map[string]any) (status int)

	// Device offers the device authorization grant (RFC 8628), and says what is answered to the nth
	// question for the token, counted from 1: the code of an error, or "" for the token, which the
	// person has approved by then. DeviceAnswer changes the answer with the device code.
	Device       func(n int) string
	DeviceAnswer func(l *Lab, answer map[string]any)
	// Revocation is the status that the revocation endpoint answers with. Zero means 200.
	Revocation int

	// Intercept sees every request first. It returns true if it has answered.
	Intercept func(l *Lab, r *Request, w http.ResponseWriter, request *http.Request) bool
	// Share is another lab whose authorization server this lab's MCP server names.
	Share *Lab
}

// An Answer is one to an authorization request, on its way to the redirect URI.
type Answer struct {
	Params url.Values
	// Path and Method replace the redirect URI's path, and GET. They have no meaning in the last
	// answer, with which the browser goes.
	Path, Method string
}

// An Authorization is a request to an authorization endpoint.
type Authorization struct {
	Party Party
	// Issuer is the party's identifier.
	Issuer string
	Params url.Values

	lab *Lab
}

// Code issues a code. Each is another one, so that the token request tells which answer was taken.
func (a *Authorization) Code() string { return a.lab.ledger.code(a) }

// Right is the right answer, with a new code.
func (a *Authorization) Right() Answer {
	params := url.Values{"code": {a.Code()}, "state": {a.Params.Get("state")}}
	if !a.Params.Has("state") {
		params.Del("state")
	}
	if a.lab.script.Revision == check.R20260728 {
		params.Set("iss", a.Issuer)
	}
	return Answer{Params: params}
}

// With is the right answer with a parameter set, or taken away if the value is empty.
func (a *Authorization) With(name, value string) Answer {
	answer := a.Right()
	if answer.Params.Set(name, value); value == "" {
		answer.Params.Del(name)
	}
	return answer
}
