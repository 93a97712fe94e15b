package guard

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"mcpentra/server/loopback"
)

const endpointMethods = "GET, POST, DELETE, OPTIONS"

// hostsOf lists the values of Host that name the resource, with and without a default port.
func hostsOf(resource *url.URL) []string {
	names := []string{resource.Hostname()}
	if loopback.IsHost(resource.Hostname()) {
		names = []string{"localhost", "127.0.0.1", "::1"}
	}
	port := resource.Port()
	standard := defaultPorts[resource.Scheme]
	if port == "" {
		port = standard
	}
	var hosts []string
	for _, name := range names {
		hosts = append(hosts, net.JoinHostPort(name, port))
		if port == standard {
			hosts = append(hosts, strings.TrimSuffix(net.JoinHostPort(name, ""), ":"))
		}
	}
	return hosts
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

// checkHost stops DNS rebinding: a page whose host name points here sends its own name.
func (g *Guard) checkHost(r *http.Request) *refusal {
	if slices.Contains(g.hosts, r.Host) || slices.Contains(g.hosts, strings.ToLower(r.Host)) {
		return nil
	}
	return &refusal{
		status:      http.StatusMisdirectedRequest,
		description: "this server does not answer for that host",
		cause:       cause{"host", r.Host, "MCP_PUBLIC_URL"},
	}
}

// An OriginError reports an entry of Config.AllowedOrigins that is not an origin.
type OriginError struct {
	// Problem continues a sentence that begins with the name of the field or setting.
	Problem string
}

func (e *OriginError) Error() string { return "guard: AllowedOrigins " + e.Problem }

// originsOf lists the origins that may call, as browsers write them (RFC 6454 section 6.2).
func originsOf(resource *url.URL, allowed []string) ([]string, error) {
	origins := []string{resource.Scheme + "://" + resource.Host}
	for _, origin := range allowed {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin || !isSentByBrowsers(u) {
			return nil, &OriginError{fmt.Sprintf("has %q: write each origin as browsers send it, scheme://host "+
				"or scheme://host:port in lower case, without wildcards and without the scheme's own port, such as "+
				"https://inspector.example", origin)}
		}
		origins = append(origins, origin)
	}
	return origins, nil
}

// isSentByBrowsers reports whether browsers write an origin this way (WHATWG HTML, serialization of
// an origin).
func isSentByBrowsers(origin *url.URL) bool {
	port := origin.Port()
	number, err := strconv.ParseUint(port, 10, 16)
	switch {
	case strings.ToLower(origin.Host) != origin.Host,
		strings.ContainsAny(origin.Host, "*%"),
		strings.ContainsFunc(origin.Host, func(r rune) bool { return r > unicode.MaxASCII }):
		return false
	case port == "":
		return !strings.HasSuffix(origin.Host, ":")
	}
	return err == nil && number > 0 && port != defaultPorts[origin.Scheme] && port[0] != '0'
}

// checkOrigin refuses pages of unknown origins. Programs send no Origin.
func (g *Guard) checkOrigin(r *http.Request) *refusal {
	lines := r.Header["Origin"]
	if len(lines) == 0 || len(lines) == 1 && slices.Contains(g.origins, lines[0]) {
		return nil
	}
	return &refusal{
		status:      http.StatusForbidden,
		description: "pages of that origin may not call this server",
		cause:       cause{"origin", strings.Join(lines, ", "), "MCP_ALLOWED_ORIGINS"},
	}
}

// shareWithOrigin lets a page of an allowed origin read the answer (Fetch standard, CORS protocol).
// The page sends its token itself, so the answer does not ask for the browser's credentials.
func shareWithOrigin(w http.ResponseWriter, r *http.Request) {
	origin := line(r.Header, "Origin")
	if origin == "" {
		return
	}
	header := w.Header()
	header.Add("Vary", "Origin")
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set(
		"Access-Control-Expose-Headers",
		"WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After",
	)
}

// checkMethod refuses methods that MCP does not use. OPTIONS has to be a preflight request.
func checkMethod(r *http.Request) *refusal {
	description := "the methods here are " + endpointMethods
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodDelete:
		return nil
	case http.MethodOptions:
		if r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "" {
			return nil
		}
		description = "OPTIONS is for preflight requests of web pages"
	}
	return &refusal{
		status:      http.StatusMethodNotAllowed,
		allow:       endpointMethods,
		description: description,
		cause:       cause{reason: "method"},
	}
}

// Bounds of the headers that an answer to a preflight request allows.
const (
	maxParamHeader    = 128 // bytes of a name
	maxAllowedHeaders = 40
)

func answerPreflight(w http.ResponseWriter, r *http.Request) {
	allowed := []string{
		"Authorization",
		"Content-Type",
		"Accept",
		"MCP-Protocol-Version",
		"Mcp-Method",
		"Mcp-Name",
		"Mcp-Session-Id",
		"Last-Event-ID",
	}
	for name := range strings.SplitSeq(r.Header.Get("Access-Control-Request-Headers"), ",") {
		name = strings.TrimSpace(name)
		// The tool names the parameters that headers mirror (MCP 2026-07-28).
		isParam := len(name) <= maxParamHeader && strings.HasPrefix(strings.ToLower(name), "mcp-param-")
		if isParam && len(allowed) < maxAllowedHeaders {
			allowed = append(allowed, name)
		}
	}
	w.Header().Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	w.Header().Set("Access-Control-Allow-Headers", strings.Join(allowed, ", "))
	w.Header().Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}
