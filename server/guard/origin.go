package guard

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

const endpointMethods = "GET, POST, DELETE, OPTIONS"

// hostsOf are the values of Host that mean the resource, with and without a default port.
func hostsOf(resource *url.URL) []string {
	names := []string{resource.Hostname()}
	if isLoopback(resource.Hostname()) {
		names = []string{"localhost", "127.0.0.1", "::1"}
	}
	port := resource.Port()
	standard := map[string]string{"http": "80", "https": "443"}[resource.Scheme]
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

// hostAllowed stops DNS rebinding: a page whose name was made to point here sends its own name.
func (g *Guard) hostAllowed(r *http.Request) bool {
	return slices.Contains(g.hosts, r.Host) || slices.Contains(g.hosts, strings.ToLower(r.Host))
}

// OriginError is an entry of Config.AllowedOrigins that is no origin.
type OriginError struct {
	// Problem goes on from the name of the field or setting.
	Problem string
}

func (e *OriginError) Error() string { return "guard: AllowedOrigins " + e.Problem }

// originsOf are the origins that may call, in the form browsers send (RFC 6454 section 6.2).
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

// isSentByBrowsers reports whether a browser writes an origin in this way (WHATWG HTML,
// serialization of an origin).
func isSentByBrowsers(origin *url.URL) bool {
	port := origin.Port()
	usual := map[string]string{"http": "80", "https": "443"}[origin.Scheme]
	number, err := strconv.ParseUint(port, 10, 16)
	switch {
	case strings.ToLower(origin.Host) != origin.Host, strings.ContainsAny(origin.Host, "*%"),
		strings.ContainsFunc(origin.Host, func(r rune) bool { return r > unicode.MaxASCII }):
		return false
	case port == "":
		return !strings.HasSuffix(origin.Host, ":")
	}
	return err == nil && number > 0 && port != usual && port[0] != '0'
}

// originAllowed: programs send no Origin; pages do, and only those that are known may call.
func (g *Guard) originAllowed(r *http.Request) bool {
	lines := r.Header["Origin"]
	return len(lines) == 0 || len(lines) == 1 && slices.Contains(g.origins, lines[0])
}

// shareWithOrigin lets an allowed page read the answer (Fetch standard, CORS protocol). The page
// brings its token along; cookies and other credentials of the browser are not asked for.
func (g *Guard) shareWithOrigin(w http.ResponseWriter, r *http.Request) {
	if origin := line(r.Header, "Origin"); origin != "" {
		w.Header().Add("Vary", "Origin")
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().
			Set("Access-Control-Expose-Headers", "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After")
	}
}

func (g *Guard) preflight(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") == "" || r.Header.Get("Access-Control-Request-Method") == "" {
		w.Header().Set("Allow", endpointMethods)
		g.refuse(w, r, refusal{
			status:      http.StatusMethodNotAllowed,
			description: "OPTIONS is for preflight requests of web pages",
			cause:       cause{reason: "method"},
		})
		return
	}
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
	for asked := range strings.SplitSeq(r.Header.Get("Access-Control-Request-Headers"), ",") {
		// Parameters that are mirrored in headers (MCP 2026-07-28) have names of the tool's choice.
		if asked = strings.TrimSpace(asked); len(asked) <= 128 &&
			strings.HasPrefix(strings.ToLower(asked), "mcp-param-") &&
			len(allowed) < 40 {
			allowed = append(allowed, asked)
		}
	}
	w.Header().Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	w.Header().Set("Access-Control-Allow-Headers", strings.Join(allowed, ", "))
	w.Header().Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}
