package clientsettings

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// A Server describes an MCP server to its clients.
type Server struct {
	// Name is the server's name in the settings. Characters other than letters, digits and hyphens
	// become hyphens. Empty means a name made from the host.
	Name string
	// URL is the MCP endpoint: http or https.
	URL string
	// ClientID is the ID of a client that was registered beforehand. With it, no client registers
	// itself. Empty means that there is none, or that it is not known.
	ClientID string
	// RedirectURIs are registered for ClientID. If one fits a client, its port is used.
	RedirectURIs []string
	// Scopes are what a client with ClientID has to request.
	Scopes []string
	// RegistersClients says that the authorization server has a registration endpoint (RFC 7591).
	RegistersClients bool
	// AcceptsDocuments says that the authorization server accepts client ID metadata documents.
	AcceptsDocuments bool
	// Entra says that clients sign in at Entra ID itself.
	Entra bool
	// OmitsIssuer says that authorization responses carry no iss (RFC 9207). Entra implies it.
	OmitsIssuer bool
	// Legacy says that the server speaks HTTP+SSE (MCP 2024-11-05) in place of Streamable HTTP.
	Legacy bool
}

// Bounds. The scopes may come from a server's metadata.
const (
	maxName     = 48
	maxURL      = 2048
	maxClientID = 512
	maxScopes   = 40
	maxScope    = 256
)

// unknownClientID is in the settings until a person replaces it.
const unknownClientID = "CLIENT-ID"

// checked returns a server whose texts are safe in a shell and in a settings file.
func checked(server Server) (Server, error) {
	address, err := safeURL(server.URL)
	if err != nil {
		return server, err
	}
	server.URL = address.String()
	if server.Name == "" {
		server.Name = address.Hostname()
	}
	server.Name = safeName(server.Name)
	if !isSafeText(server.ClientID, maxClientID) {
		return server, fmt.Errorf("client ID: want visible ASCII without quotes and $, got %q", server.ClientID)
	}
	server.Scopes = slices.DeleteFunc(slices.Clone(server.Scopes), func(scope string) bool {
		return scope == "" || !isSafeText(scope, maxScope)
	})
	server.Scopes = server.Scopes[:min(len(server.Scopes), maxScopes)]
	server.OmitsIssuer = server.OmitsIssuer || server.Entra
	if server.ClientID == "" && !server.RegistersClients && !server.AcceptsDocuments {
		server.ClientID = unknownClientID
	}
	return server, nil
}

// expanded are characters that a shell or a client would expand in a URL.
var expanded = strings.NewReplacer(
	"'", "%27", `"`, "%22", "$", "%24", "`", "%60", "{", "%7B", "}", "%7D", `\`, "%5C",
	" ", "%20", "<", "%3C", ">", "%3E", "|", "%7C", "^", "%5E", "!", "%21",
)

// safeURL reads the URL of a server. It encodes characters that a shell or a client would expand.
func safeURL(text string) (*url.URL, error) {
	// The error does not repeat the URL, which may hold a password.
	wrong := errors.New("want the URL of an MCP server, such as https://mcp.example.com/mcp, " +
		"without user name and password")
	parsed, err := url.Parse(text)
	if err != nil || parsed.User != nil || parsed.Hostname() == "" || len(text) > maxURL {
		return nil, wrong
	}
	parsed.Fragment = ""
	parsed.RawFragment = ""
	address := expanded.Replace(parsed.String())
	isASCII := !strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' })
	parsed, err = url.Parse(address)
	if err != nil || !isASCII || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return nil, wrong
	}
	if !safeHost.MatchString(parsed.Hostname()) {
		return nil, wrong
	}
	return parsed, nil
}

// safeHost matches host names and addresses. Other characters have a meaning in a shell.
var safeHost = regexp.MustCompile(`^[A-Za-z0-9._:-]+$`)

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// safeName returns a name that every client accepts, and that no shell reads as a flag.
func safeName(name string) string {
	name = notInName.ReplaceAllString(strings.ToLower(name), "-")
	name = strings.Trim(name[:min(len(name), maxName)], "-")
	switch {
	case name == "":
		return "mcp-server"
	case !strings.ContainsFunc(name, unicode.IsLetter): // such as 127-0-0-1
		return "mcp-" + name
	}
	return name
}

// isSafeText reports whether a text has only characters that no shell and no client expands inside
// single quotes and JSON.
func isSafeText(text string, most int) bool {
	isUnsafe := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("'\"`$\\{}", r) }
	return len(text) <= most && !strings.ContainsFunc(text, isUnsafe)
}

// isLocal reports whether only this machine reaches a server.
func (s *Server) isLocal() bool {
	address, err := url.Parse(s.URL)
	if err != nil {
		return false
	}
	host := strings.ToLower(address.Hostname())
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// port returns the port of a registered redirect URI with one of these hosts and this path, or
// another port.
func (s *Server) port(other int, path string, hosts ...string) int {
	for _, registered := range s.RedirectURIs {
		parsed, err := url.Parse(registered)
		if err != nil || parsed.Scheme != "http" || parsed.Path != path {
			continue
		}
		number, err := strconv.ParseUint(parsed.Port(), 10, 16)
		if err == nil && number > 0 && slices.Contains(hosts, parsed.Hostname()) {
			return int(number)
		}
	}
	return other
}

// register says which redirect URIs a client needs that are not registered. It returns "" if all
// are.
func (s *Server) register(platform string, needed ...string) string {
	missing := slices.DeleteFunc(needed, func(uri string) bool { return slices.Contains(s.RedirectURIs, uri) })
	if len(missing) == 0 {
		return ""
	}
	text := strings.Join(missing, " and ")
	if s.Entra {
		return fmt.Sprintf("Register %s in the portal: App registrations, the client, Authentication, platform %s.",
			text, platform)
	}
	return fmt.Sprintf("The client needs the redirect URI %s.", text)
}
