package broker

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"mcpentra/server/loopback"
)

// hostProfile converts the hosts of URLs as browsers do (WHATWG URL, "domain to ASCII").
var hostProfile = idna.New(
	idna.MapForLookup(),
	idna.BidiRule(),
	idna.Transitional(false),
	idna.StrictDomainName(false),
	idna.CheckHyphens(false),
	idna.VerifyDNSLength(true),
)

// browserHost returns the host that a browser visits for a URL: an IP address, or a name in
// lower-case IDNA ASCII. It refuses every spelling that a browser would turn into another name.
func browserHost(u *url.URL) (string, error) {
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") || endsInNumber(host) {
		address, err := netip.ParseAddr(host)
		if err != nil || !isUsual(address) {
			return "", errors.New("the IP address in a redirect URI is not in its usual form, such as 192.0.2.1")
		}
		return address.String(), nil
	}
	ascii, err := hostProfile.ToASCII(host)
	isPlain := ascii == host && !strings.HasSuffix(host, ".") && !strings.ContainsFunc(host, notInHost)
	if err != nil || !isPlain {
		return "", errors.New("the host of a redirect URI is not a name in IDNA ASCII form without a final dot")
	}
	return host, nil
}

func isUsual(address netip.Addr) bool {
	return address.Zone() == "" && !address.Is4In6() && !address.IsUnspecified()
}

func notInHost(r rune) bool {
	isLetter := r >= 'a' && r <= 'z'
	isDigit := r >= '0' && r <= '9'
	return !isLetter && !isDigit && !strings.ContainsRune("-_.", r)
}

// endsInNumber reports whether a browser reads a host as an IPv4 address: 127.1, 0x7f.1 and
// 2130706433 are all 127.0.0.1 (WHATWG URL, "ends in a number").
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	label := host[strings.LastIndex(host, ".")+1:]
	if label != "" && strings.Trim(label, "0123456789") == "" {
		return true
	}
	digits, isHex := strings.CutPrefix(label, "0x")
	return isHex && strings.Trim(digits, "0123456789abcdef") == ""
}

// browserPort returns the port to which a browser connects.
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

func isLoopbackURI(uri string) bool {
	parsed, err := url.Parse(uri)
	return err == nil && !isPrivateUse(uri) && loopback.IsStrictHost(parsed.Hostname())
}

// hostAndPort returns a host and port in the form of browsers: IPv6 addresses in brackets, and no
// default port.
func hostAndPort(scheme, host string, port uint16) string {
	switch {
	case scheme == "https" && port != 443, scheme == "http" && port != 80:
		return net.JoinHostPort(host, strconv.Itoa(int(port)))
	case strings.Contains(host, ":"):
		return "[" + host + "]"
	}
	return host
}

// A destination tells a person where an answer goes.
type destination struct {
	// Host is the host in the form that the browser visits, with a port other than the default.
	Host string
	// Name is Host without the port.
	Name string
	// Address is the whole redirect URI, with the host in that form.
	Address string
	// ThisComputer says that a program on the person's own computer receives the answer.
	ThisComputer bool
	// Scheme is the private-use scheme that opens that program, or empty. Name is empty then.
	Scheme string
}

// newDestination returns the destination of a redirect URI that checkRedirect has accepted.
func newDestination(uri string) destination {
	parsed, err := url.Parse(uri)
	if err != nil {
		return destination{}
	}
	if isPrivateUse(uri) {
		shown := parsed.Scheme + ":"
		if parsed.Host != "" {
			shown += "//" + parsed.Host
		}
		return destination{Host: shown, Address: uri, ThisComputer: true, Scheme: parsed.Scheme}
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
