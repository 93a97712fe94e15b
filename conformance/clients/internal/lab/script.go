package lab

import (
	"net/http"
	"net/url"
	"time"

	"mcpentra/conformance/check"
)

// A Party is one of the servers in a lab. Each has its own origin.
type Party string

const (
	Server Party = "server" // the MCP server; with MCP 2025-03-26 also its authorization server
	Issuer Party = "issuer" // the authorization server that the MCP server names
	Second Party = "second" // another authorization server without faults
	Trap   Party = "trap"   // serves nothing; a request here means that the client was misled
	Proxy  Party = "proxy"  // the proxy of Task.Proxy; it forwards nothing unless Script.Public is set
)

// A Script describes how a lab differs from one in which everything is right. Its zero value is the
// latter.
type Script struct {
	// Revision of MCP that the server speaks. Empty means the probe's revision.
	Revision check.Revision
	// Open makes the MCP server require no token.
	Open bool
	// Host is the loopback name in the origins. Empty means 127.0.0.1.
	Host string
	// URL replaces the URL of the MCP endpoint in the task. Nil means the right URL.
	URL func(l *Lab) string
	// Public gives the parties public host names, and sets TLS. Clients reach them only through
	// Task.Proxy.
	Public bool
	// TLS serves the MCP server and the authorization servers over https.
	TLS bool
	// Flaws are faults in the TLS of parties.
	Flaws map[Party]Flaw

	// Path of the MCP endpoint. Empty means /mcp.
	Path string
	// Challenge replaces the WWW-Authenticate lines of a 401. Nil means the right challenge.
	Challenge func(l *Lab) []string
	// Scope is the scope in the challenge of a 401. Empty leaves it out.
	Scope string
	// Scopes are the scopes_supported in the protected resource metadata. Empty leaves them out.
	Scopes []string
	// ResourceAt lists the paths of the protected resource metadata. The challenge names the first.
	// Nil means the well-known path of the endpoint.
	ResourceAt []string
	// Resource changes the protected resource metadata at a path.
	Resource func(l *Lab, path string, document map[string]any)
	// ToolScopes are the scopes that a token needs for a tool call.
	ToolScopes []string
	// StepUp replaces ToolScopes. It returns the scopes that the nth tool call needs, counted from
	// 1. Nil accepts the call.
	StepUp func(n int) []string
	// ExpiredTokens is the number of access tokens that a tool call finds expired. The first that
	// were issued are.
	ExpiredTokens int
	// Lenient makes the MCP server accept every request after the first token was issued.
	Lenient bool
	// Tool changes the description of the tool.
	Tool func(l *Lab, tool map[string]any)
	// ListTTL is how long the list of tools may be cached, with cacheScope private (MCP
	// 2026-07-28).
	ListTTL time.Duration
	// Stream answers a request at the MCP endpoint with an event stream of these messages. Answer
	// is the right response. Nil messages send the right response as JSON.
	Stream func(l *Lab, r *Request, answer map[string]any) []any

	// IssuerPath is the path in the issuers, for example /tenant1.
	IssuerPath string
	// IssuerAt lists the paths of the authorization server metadata. Nil means the path of RFC
	// 8414.
	IssuerAt []string
	// Metadata changes the authorization server metadata of a party at a path.
	Metadata func(l *Lab, party Party, path string, document map[string]any)
	// DefaultEndpoints serves the authorization server at /authorize, /token and /register, instead
	// of at paths that no client guesses.
	DefaultEndpoints bool
	// AuthMethod is the client authentication method that the authorization servers list. A method
	// with a secret issues one at registration. Empty means none.
	AuthMethod string
	// Registration changes the answer to a registration. A status other than 0 replaces 201.
	Registration func(l *Lab, asked, answer map[string]any) (status int)
	// Answers are the authorization responses. All but the last are sent to the redirect URI before
	// the browser goes there with the last. Nil means the right response.
	Answers func(l *Lab, a *Authorization) []Answer
	// Refresh issues refresh tokens, a new one each time.
	Refresh bool
	// Token changes the answer to a token request. A status other than 0 replaces 200. Form holds
	// the parameters of the request.
	Token func(l *Lab, party Party, form url.Values, answer map[string]any) (status int)

	// Device offers the device authorization grant (RFC 8628). It returns the answer to the nth
	// poll for the token, counted from 1: an error code, or "" for the token.
	Device func(n int) string
	// DeviceAnswer changes the answer with the device code.
	DeviceAnswer func(l *Lab, answer map[string]any)
	// Revocation is the status of the revocation endpoint. Zero means 200.
	Revocation int

	// Intercept gets every request first. It returns true if it has answered.
	Intercept func(l *Lab, r *Request, w http.ResponseWriter, request *http.Request) bool
	// Share is another lab, whose authorization server this lab's MCP server names.
	Share *Lab
}

// An Answer is an authorization response on its way to the redirect URI.
type Answer struct {
	Params url.Values
	// Path replaces the redirect URI's path, unless it is empty or the answer is the last.
	Path string
	// Method replaces GET, unless it is empty or the answer is the last.
	Method string
	// Host replaces the host in the header of the request, unless it is empty or the answer is the
	// last.
	Host string
}

// An Authorization is a request to an authorization endpoint.
type Authorization struct {
	Party  Party
	Issuer string // the party's issuer
	Params url.Values

	lab *Lab
}

// Code issues a new code. The token request shows which answer the client used.
func (a *Authorization) Code() string { return a.lab.ledger.issueCode(a) }

// Right returns the right answer, with a new code.
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

// With returns the right answer with a parameter set, or removed if the value is empty.
func (a *Authorization) With(name, value string) Answer {
	answer := a.Right()
	answer.Params.Set(name, value)
	if value == "" {
		answer.Params.Del(name)
	}
	return answer
}
