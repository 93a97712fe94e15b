package upstream

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/server/guard"
)

// requestHeaders are the headers of a caller that reach the upstream: MCP's, and those for content
// negotiation and tracing. The names are canonical (http.CanonicalHeaderKey). Headers with the
// prefix paramPrefix pass as well.
var requestHeaders = []string{
	"Accept",
	"Accept-Encoding",
	"Accept-Language",
	"Baggage",
	"Content-Type",
	"Last-Event-Id",
	"Mcp-Method",
	"Mcp-Name",
	"Mcp-Protocol-Version",
	"Mcp-Session-Id",
	"Traceparent",
	"Tracestate",
	"User-Agent",
}

// paramPrefix begins the headers that mirror a tool's parameters (MCP 2026-07-28, Standard Request
// Headers).
const paramPrefix = "Mcp-Param-"

// answerHeaders are the headers of the upstream's answer that reach the caller. Headers with the
// prefix mcpPrefix pass as well. Cookies, CORS, HSTS, challenges and redirects are not listed: the
// guard decides what a browser or client does for this origin. X-Accel-Buffering keeps an nginx in
// front of this server from buffering streams.
var answerHeaders = []string{
	"Allow",
	"Content-Disposition",
	"Content-Encoding",
	"Content-Language",
	"Content-Length",
	"Content-Type",
	"Date",
	"Etag",
	"Last-Modified",
	"Retry-After",
	"Traceparent",
	"Traceresponse",
	"Tracestate",
	"X-Accel-Buffering",
}

// mcpPrefix begins the headers of MCP, and ownPrefix the headers of this server.
const (
	mcpPrefix = "Mcp-"
	ownPrefix = "Mcp-Entra-"
)

// refusedNames and refusedPrefixes can never be added to the lists. These headers carry
// credentials, identities, addresses or the original URL, belong to one connection, or decide what
// a browser does for the whole origin. The lists above decide about "Mcp-".
var (
	refusedNames = []string{
		"Alt-Svc",
		"Api-Key",
		"Authentication-Info",
		"Clear-Site-Data",
		"Client-Ip",
		"Connection",
		"Content-Length",
		"Content-Location",
		"Content-Security-Policy",
		"Content-Type",
		"Cookie",
		"Cookie2",
		"Expect",
		"Fastly-Client-Ip",
		"Forwarded",
		"From",
		"Host",
		"Http2-Settings",
		"Keep-Alive",
		"Link",
		"Location",
		"Nel",
		"Origin",
		"Referer",
		"Refresh",
		"Report-To",
		"Reporting-Endpoints",
		"Service-Worker-Allowed",
		"Set-Cookie",
		"Set-Cookie2",
		"Set-Login",
		"Sourcemap",
		"Strict-Transport-Security",
		"Te",
		"Trailer",
		"Transfer-Encoding",
		"True-Client-Ip",
		"Upgrade",
		"Vary",
		"Via",
		"Www-Authenticate",
		"X-Api-Key",
		"X-Auth-Token",
		"X-Client-Ip",
		"X-Cluster-Client-Ip",
		"X-Csrf-Token",
		"X-Host",
		"X-Real-Ip",
		"X-Sendfile",
	}
	refusedPrefixes = []string{
		"Access-Control-",
		"Cf-",
		"Cross-Origin-",
		"Mcp-",
		"Proxy-",
		"Sec-",
		"X-Accel-",
		"X-Azure-",
		"X-Envoy-",
		"X-Forwarded",
		"X-Original-",
		"X-Proxy-",
		"X-Rewrite-",
		"X-Token",
	}
)

// A ListError reports a name that Config.Headers or Config.Query cannot hold.
type ListError struct {
	// Field is "Headers" or "Query".
	Field string
	// Problem names the entry and its fault, and says what to do.
	Problem string
}

func (e *ListError) Error() string { return "upstream: " + e.Field + " " + e.Problem }

func wrongHeader(format string, arguments ...any) error {
	return &ListError{"Headers", fmt.Sprintf(format, arguments...)}
}

func wrongQuery(format string, arguments ...any) error {
	return &ListError{"Query", fmt.Sprintf(format, arguments...)}
}

// readHeaderNames checks Config.Headers.
func readHeaderNames(names []string) ([]string, error) {
	var added []string
	for _, name := range names {
		canonical := http.CanonicalHeaderKey(name)
		hasPrefix := func(prefix string) bool { return strings.HasPrefix(canonical, prefix) }
		switch {
		case name == "" || len(name) > 64 || !isPlainName(name):
			return nil, wrongHeader("has the name %.70q: write names of letters, digits and hyphens, such as "+
				"X-Request-Id", name)
		case slices.Contains(requestHeaders, canonical):
			return nil, wrongHeader("has %s, a header that passes already: leave it out", canonical)
		case guard.IsIdentityHeader(canonical), slices.Contains(refusedNames, canonical),
			slices.ContainsFunc(refusedPrefixes, hasPrefix):
			return nil, wrongHeader("has %s, a header that never passes, since it can hold a credential, an identity "+
				"or an address, or belongs to one connection or to this origin: leave it out", canonical)
		}
		added = append(added, canonical)
	}
	return added, nil
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// isPlainName reports whether a name consists of letters, digits and hyphens.
func isPlainName(name string) bool { return strings.Trim(name, letters+"0123456789-") == "" }

// readQueryNames checks Config.Query. Callers cannot set the parameters of the operator's own URL.
func readQueryNames(names []string, own string) ([]string, error) {
	for _, name := range names {
		switch {
		case name == "" || len(name) > 64 || strings.Trim(name, letters+"0123456789-_.~") != "":
			return nil, wrongQuery("has the name %.70q: write names of letters, digits and -_.~", name)
		case strings.EqualFold(name, "access_token"):
			return nil, wrongQuery("has %s, a parameter that never passes, since it can hold a token: leave it out",
				name)
		case setsParameter(own, name):
			return nil, wrongQuery("has %s, which the upstream's URL sets itself: leave it out here or there", name)
		}
	}
	return slices.Clone(names), nil
}

// setsParameter reports whether any server would find a parameter in a query. Some servers ignore
// the case of names, and some also split at semicolons.
func setsParameter(query, name string) bool {
	parameters, _ := url.ParseQuery(strings.ReplaceAll(query, ";", "&")) // pairs that cannot be read are left out
	for set := range parameters {
		if strings.EqualFold(set, name) {
			return true
		}
	}
	return false
}

// isForwarded reports whether a caller's header reaches the upstream.
func (p *Proxy) isForwarded(name string) bool {
	if suffix, isParam := strings.CutPrefix(name, paramPrefix); isParam {
		// Servers behind CGI-like interfaces read "_" as "-".
		return suffix != "" && !strings.Contains(suffix, "_")
	}
	return slices.Contains(requestHeaders, name) || slices.Contains(p.headers, name)
}

// isReturned reports whether a header of an answer reaches the caller.
func (p *Proxy) isReturned(name string) bool {
	if strings.HasPrefix(name, mcpPrefix) {
		return isPlainName(name) && !strings.HasPrefix(name, ownPrefix)
	}
	return slices.Contains(answerHeaders, name) || slices.Contains(p.headers, name)
}

// query joins the operator's query and the parameters of the caller's that Config.Query lists.
func (p *Proxy) query(asked string) string {
	if len(p.queryNames) == 0 || asked == "" {
		return p.target.RawQuery
	}
	given, _ := url.ParseQuery(asked) // pairs that cannot be read are left out
	kept := url.Values{}
	for _, name := range p.queryNames {
		if values := given[name]; len(values) > 0 {
			kept[name] = values
		}
	}
	return strings.Trim(p.target.RawQuery+"&"+kept.Encode(), "&")
}
