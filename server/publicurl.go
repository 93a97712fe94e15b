package server

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"mcpentra/server/loopback"
)

var plainHost = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?$`)

// readPublicURL reads an origin: https, or http on loopback. It returns the origin as browsers
// write it, in lower case and without the scheme's own port.
func readPublicURL(text string) (string, error) {
	wrong := func(problem string) (string, error) {
		return "", &ConfigError{"PublicURL", fmt.Sprintf("is %q: %s", withoutSecrets(text), problem)}
	}
	parsed, err := url.Parse(text)
	switch {
	case err != nil || parsed.Host == "" || parsed.Hostname() == "" || parsed.User != nil:
		return wrong("write the public URL's scheme and host, such as https://mcp.example.com")
	case strings.ContainsAny(text, "?#"):
		return wrong("leave out ? or #, and the text after it")
	case !isPort(parsed.Port()):
		return wrong("write a port from 1 to 65535, or no port for the scheme's own")
	case !plainHost.MatchString(parsed.Host):
		return wrong("write the host in ASCII; write a name with other letters in its IDNA form (xn--…)")
	case strings.Trim(parsed.Path, "/") != "":
		return wrong("a public URL has no path; write " + parsed.Scheme + "://" + parsed.Host +
			", and set the endpoint's path with MCP_PATH (Path)")
	case parsed.Scheme != "https" && !(parsed.Scheme == "http" && loopback.IsHost(parsed.Hostname())):
		return wrong("write https in the public URL, or http on a loopback address")
	}
	public := strings.ToLower(parsed.Scheme + "://" + parsed.Host)
	standard := map[string]string{"https": ":443", "http": ":80"}[parsed.Scheme]
	return strings.TrimSuffix(public, standard), nil
}

// isPort reports whether the port of a URL can be connected to. A URL without a port has the port
// of its scheme.
func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && port > 0
}

// withoutSecrets removes the parts of a URL that may hold a password or a key: the user information
// and the query.
func withoutSecrets(text string) string {
	text, _, _ = strings.Cut(text, "?")
	if at := strings.LastIndex(text, "@"); at >= 0 {
		return "…" + text[at:]
	}
	return text
}
