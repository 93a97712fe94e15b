package broker

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"mcpentra/server/loopback"
)

// Bounds of the redirect URIs of one registration.
const (
	maxRedirectURIs     = 20
	maxRedirectURI      = 2048               // bytes of each
	maxRedirectURIsSize = 2 * maxRedirectURI // bytes of all together
)

// checkRedirect returns the reason why a redirect URI cannot be registered or used (MCP 2025-11-25,
// Communication Security: https, or http on a loopback address). A client may read the reason.
func (b *Broker) checkRedirect(uri string) error {
	if len(uri) > maxRedirectURI {
		return fmt.Errorf("a redirect URI is longer than %d characters", maxRedirectURI)
	}
	if isPrivateUse(uri) && slices.Contains(b.config.Clients.PrivateUse, uri) {
		return nil // New has checked it
	}
	parsed, err := url.Parse(uri)
	authority := rawAuthority(uri)
	switch {
	case !isASCII(authority), strings.Contains(authority, "%"):
		return errors.New("the host of a redirect URI is not in IDNA ASCII form, such as xn--bcher-kva.example")
	case strings.ContainsFunc(uri, notInURI):
		return errors.New("a redirect URI has a character that does not belong there")
	case err != nil, parsed.Opaque != "", parsed.Host == "", parsed.Hostname() == "":
		return errors.New("a redirect URI is not an absolute URL")
	case parsed.User != nil, strings.Contains(uri, "#"):
		return errors.New("a redirect URI has user information or a fragment")
	}
	if err := b.checkRedirectOrigin(parsed); err != nil {
		return err
	}
	for _, segment := range strings.Split(parsed.Path, "/") {
		if segment == "." || segment == ".." {
			return errors.New("a redirect URI has dot segments")
		}
	}
	return checkRedirectQuery(parsed)
}

// checkRedirectQuery refuses a query that could be confused with the response.
func checkRedirectQuery(parsed *url.URL) error {
	// net/url leaves out the pairs that it cannot read, but clients may read them.
	query, err := url.ParseQuery(parsed.RawQuery)
	if err != nil {
		return errors.New("a redirect URI has a query that is not form-encoded")
	}
	for name := range query {
		if slices.Contains(responseParameters, looseName(name)) {
			return errors.New("a redirect URI has a query parameter that belongs to the response")
		}
	}
	return nil
}

// checkRedirectOrigin checks the scheme, host and port of a redirect URI.
func (b *Broker) checkRedirectOrigin(parsed *url.URL) error {
	host, err := browserHost(parsed)
	if err != nil {
		return err
	}
	port, err := browserPort(parsed)
	if err != nil {
		return err
	}
	isLocal := parsed.Scheme == "http" && loopback.IsStrictHost(host)
	if parsed.Scheme != "https" && !isLocal {
		return errors.New("a redirect URI is neither https nor http on a loopback address")
	}
	if b.isOwnOrigin(host, port) {
		return errors.New("a redirect URI is at this server itself")
	}
	return nil
}

// isOwnOrigin reports whether a host and port lead a browser to this broker. A redirect there would
// look like a step of the broker's own pages. If the broker is on loopback, every loopback name may
// lead to it.
func (b *Broker) isOwnOrigin(host string, port uint16) bool {
	if port != b.ownPort {
		return false
	}
	return host == b.ownHost || loopback.IsStrictHost(host) && loopback.IsStrictHost(b.ownHost)
}

// responseParameters are the parameters of an authorization response (RFC 6749 section 4.1.2, RFC
// 9207).
var responseParameters = []string{"code", "state", "iss", "error", "error_description", "error_uri"}

// looseName returns the parameter that a lax parser reads from a name. Some parsers ignore case and
// blanks around it, and some stop at NUL or at the bracket of an array.
func looseName(name string) string {
	if end := strings.IndexAny(name, "[\x00"); end >= 0 {
		name = name[:end]
	}
	return strings.ToLower(strings.TrimSpace(name))
}

// matchRedirect reports whether the client registered a redirect URI, character by character. The
// port of a loopback address may differ, because the system picks it when a native client starts
// (RFC 8252 section 7.3, OAuth 2.1 section 8.4.2). The rules of registration hold here too: a
// client may have registered under older rules, and a port may be the broker's own.
func (b *Broker) matchRedirect(c *client, asked string) bool {
	if b.checkClientRedirect(c, asked) != nil {
		return false
	}
	if slices.Contains(c.RedirectURIs, asked) {
		return true
	}
	askedURL, err := url.Parse(asked)
	if err != nil || askedURL.Scheme != "http" || !loopback.IsStrictHost(askedURL.Hostname()) {
		return false
	}
	want := withoutPort(asked)
	return slices.ContainsFunc(c.RedirectURIs, func(registered string) bool { return withoutPort(registered) == want })
}

// withoutPort removes the port from a URL, and changes no other character.
func withoutPort(uri string) string {
	before, rest, _ := strings.Cut(uri, "://")
	authority := rawAuthority(uri)
	colon := strings.LastIndexByte(authority, ':')
	hasPort := colon > strings.LastIndexByte(authority, ']') && isPort(authority[colon+1:])
	if !hasPort {
		return uri
	}
	return before + "://" + authority[:colon] + rest[len(authority):]
}

// isPort reports whether a text is a port in its usual form.
func isPort(text string) bool {
	return text != "" && text[0] != '0' && strings.Trim(text, "0123456789") == ""
}

// An unusableRedirect is a redirect URI that a registration leaves out.
type unusableRedirect struct {
	uri    string
	reason error
}

// usableRedirects divides the redirect URIs of a registration. The server may leave out unusable
// ones, and its answer lists the others (RFC 7591 section 3.2.1).
func (b *Broker) usableRedirects(asked []string) (usable []string, leftOut []unusableRedirect) {
	size := 0
	for _, uri := range asked {
		if slices.Contains(usable, uri) {
			continue
		}
		var reason error
		switch {
		case len(usable) >= maxRedirectURIs:
			reason = fmt.Errorf("there are more than %d redirect URIs", maxRedirectURIs)
		case size+len(uri) > maxRedirectURIsSize:
			reason = fmt.Errorf("the redirect URIs have more than %d characters together", maxRedirectURIsSize)
		default:
			reason = b.checkRedirect(uri)
		}
		if reason != nil {
			leftOut = append(leftOut, unusableRedirect{uri, reason})
			continue
		}
		usable = append(usable, uri)
		size += len(uri)
	}
	return usable, leftOut
}

// logged returns log texts for some of the redirect URIs that were left out.
func logged(leftOut []unusableRedirect) []string {
	const most = 5
	var texts []string
	for _, redirect := range leftOut[:min(most, len(leftOut))] {
		texts = append(texts, fmt.Sprintf("%+q: %v", withoutSecrets(redirect.uri), redirect.reason))
	}
	return texts
}

// withoutSecrets returns the scheme and host of a URI as the client sent it. The rest may hold a
// secret.
func withoutSecrets(uri string) string {
	const longest = 100
	scheme, _, found := strings.Cut(uri, ":")
	if !found {
		return "no scheme"
	}
	seen := scheme + ":"
	if host := rawAuthority(uri); host != "" {
		seen += "//" + host[strings.LastIndex(host, "@")+1:]
	}
	if len(seen) > longest {
		seen = strings.ToValidUTF8(seen[:longest], "") + "..."
	}
	return seen
}

// rawAuthority returns the part of a URL between "//" and the path as the client sent it. net/url
// decodes it.
func rawAuthority(uri string) string {
	_, rest, _ := strings.Cut(uri, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return rest
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > '~' })
}

func notInURI(r rune) bool { return r <= ' ' || r > '~' || r == '\\' || r == '*' }
