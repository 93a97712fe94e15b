package broker

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"mcpentra/server/loopback"
)

// checkRedirect says why a redirect URI cannot be registered or used (MCP 2025-11-25, Communication
// Security: https, or http on a loopback address). Its error is fit for a client.
func (b *Broker) checkRedirect(uri string) error {
	if len(uri) > maxRedirectURI {
		return fmt.Errorf("a redirect URI is longer than %d characters", maxRedirectURI)
	}
	parsed, err := url.Parse(uri)
	authority := rawAuthority(uri)
	switch {
	case !isASCII(authority) || strings.Contains(authority, "%"):
		return errors.New("the host of a redirect URI is not in IDNA ASCII form, such as xn--bcher-kva.example")
	case strings.ContainsFunc(uri, notInURI):
		return errors.New("a redirect URI has a character that does not belong there")
	case err != nil || parsed.Opaque != "" || parsed.Host == "" || parsed.Hostname() == "":
		return errors.New("a redirect URI is not an absolute URL")
	case parsed.User != nil || strings.Contains(uri, "#"):
		return errors.New("a redirect URI has user information or a fragment")
	}
	host, err := browserHost(parsed)
	if err != nil {
		return err
	}
	port, err := browserPort(parsed)
	if err != nil {
		return err
	}
	if parsed.Scheme != "https" && !(parsed.Scheme == "http" && loopback.IsStrictHost(host)) {
		return errors.New("a redirect URI is neither https nor http on a loopback address")
	}
	if b.isOwnOrigin(host, port) {
		return errors.New("a redirect URI is at this server itself")
	}
	for _, segment := range strings.Split(parsed.Path, "/") {
		if segment == "." || segment == ".." {
			return errors.New("a redirect URI has dot segments")
		}
	}
	// net/url leaves out the pairs that it cannot read, and clients may read them.
	query, err := url.ParseQuery(parsed.RawQuery)
	if err != nil {
		return errors.New("a redirect URI has a query that is not form-encoded")
	}
	for name := range query {
		if slices.Contains(responseParameters, readName(name)) {
			return errors.New("a redirect URI has a query parameter that belongs to the response")
		}
	}
	return nil
}

// responseParameters are those of an authorization response (RFC 6749 section 4.1.2, RFC 9207).
var responseParameters = []string{"code", "state", "iss", "error", "error_description", "error_uri"}

// readName is the parameter that a lax reader takes a name for: some ignore case or blanks around
// it, and some stop at NUL or at the bracket of an array.
func readName(name string) string {
	if end := strings.IndexAny(name, "[\x00"); end >= 0 {
		name = name[:end]
	}
	return strings.ToLower(strings.TrimSpace(name))
}

// An unusableRedirect is a redirect URI that a registration leaves out.
type unusableRedirect struct {
	uri    string
	reason error
}

// usableRedirects parts the redirect URIs of a registration. The server may leave out those that it
// cannot use, and says so by the list in its answer (RFC 7591 section 3.2.1).
func (b *Broker) usableRedirects(asked []string) (usable []string, leftOut []unusableRedirect) {
	size := 0
	for _, uri := range asked {
		var reason error
		switch {
		case slices.Contains(usable, uri):
			continue
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

// logged shows some of the redirect URIs that were left out.
func logged(leftOut []unusableRedirect) []string {
	const most = 5
	var all []string
	for _, one := range leftOut[:min(most, len(leftOut))] {
		all = append(all, fmt.Sprintf("%+q: %v", withoutSecrets(one.uri), one.reason))
	}
	return all
}

// withoutSecrets is the scheme and host of a URI as it was sent. The rest may hold a secret.
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

// rawAuthority is the part of a URL between "//" and the path, as it was sent. net/url decodes it.
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

// hostProfile checks the hosts of URLs as browsers do (WHATWG URL, "domain to ASCII").
var hostProfile = idna.New(
	idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(false),
	idna.CheckHyphens(false), idna.VerifyDNSLength(true),
)

// browserHost is the host that a browser visits for a URL: an IP address, or a name in lower-case
// IDNA ASCII. It refuses every spelling that a browser would visit under another name.
func browserHost(u *url.URL) (string, error) {
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") || endsInNumber(host) {
		address, err := netip.ParseAddr(host)
		if err != nil || address.Zone() != "" || address.Is4In6() || address.IsUnspecified() {
			return "", errors.New("the IP address in a redirect URI is not in its usual form, such as 192.0.2.1")
		}
		return address.String(), nil
	}
	ascii, err := hostProfile.ToASCII(host)
	if err != nil || ascii != host || strings.HasSuffix(host, ".") || strings.ContainsFunc(host, notInHost) {
		return "", errors.New("the host of a redirect URI is not a name in IDNA ASCII form without a final dot")
	}
	return host, nil
}

func notInHost(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
}

// endsInNumber reports whether a browser reads a host as an IPv4 address: 127.1, 0x7f.1 and
// 2130706433 are all 127.0.0.1 (WHATWG URL, "ends in a number").
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndex(host, ".")+1:]
	if last != "" && strings.Trim(last, "0123456789") == "" {
		return true
	}
	digits, isHex := strings.CutPrefix(last, "0x")
	return isHex && strings.Trim(digits, "0123456789abcdef") == ""
}

// browserPort is the port that a browser connects to.
func browserPort(u *url.URL) (uint16, error) {
	if u.Port() == "" {
		if u.Scheme == "http" {
			return 80, nil
		}
		return 443, nil
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || port == 0 {
		return 0, errors.New("a redirect URI has a port that is not a number from 1 to 65535")
	}
	return uint16(port), nil
}

// isOwnOrigin reports whether a browser that goes to a host and port comes to this broker. Such a
// redirect would look like a step of the broker's own pages. If the broker is on loopback, all
// loopback names may lead to it.
func (b *Broker) isOwnOrigin(host string, port uint16) bool {
	if port != b.ownPort {
		return false
	}
	return host == b.ownHost || loopback.IsStrictHost(host) && loopback.IsStrictHost(b.ownHost)
}

func isLoopbackURI(uri string) bool {
	parsed, err := url.Parse(uri)
	return err == nil && loopback.IsStrictHost(parsed.Hostname())
}

// A destination says in a person's words where an answer goes.
type destination struct {
	// Host is in the form that the browser visits, with the port if it is not the usual one.
	Host string
	// Name is Host without the port.
	Name string
	// Address is the whole redirect URI, with the host in that form.
	Address string
	// ThisComputer says that a program on the person's own computer receives the answer.
	ThisComputer bool
}

// newDestination reads a redirect URI that checkRedirect has found good.
func newDestination(uri string) destination {
	parsed, err := url.Parse(uri)
	if err != nil {
		return destination{}
	}
	name, err := browserHost(parsed)
	if err != nil {
		return destination{}
	}
	port, err := browserPort(parsed)
	if err != nil {
		return destination{}
	}
	shown := hostAndPort(parsed.Scheme, name, port)
	parsed.Host = shown
	return destination{Host: shown, Name: name, Address: parsed.String(), ThisComputer: loopback.IsStrictHost(name)}
}

// hostAndPort is what browsers write for a host: IPv6 addresses in brackets, and no usual port.
func hostAndPort(scheme, host string, port uint16) string {
	switch {
	case scheme == "https" && port != 443, scheme == "http" && port != 80:
		return net.JoinHostPort(host, strconv.Itoa(int(port)))
	case strings.Contains(host, ":"):
		return "[" + host + "]"
	}
	return host
}
