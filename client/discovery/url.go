package discovery

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"mcpentra/client/internal/printable"
)

// CheckURL parses a URL that a server chose, and returns an error if the client must not use it.
// The URL has to be https, or http on loopback, without user information and fragment. If its host
// is written as an IP address, CheckAddress decides. With a nil server every IP address passes.
func CheckURL(address string, server *url.URL) (*url.URL, error) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || parsed.Opaque != "" {
		return nil, fmt.Errorf("want an absolute URL, got %q", printable.Text(address))
	}
	host, err := asciiHost(parsed.Hostname())
	if err != nil {
		return nil, fmt.Errorf("want a URL with a valid host name, got %q", printable.Text(address))
	}
	isLocalHTTP := parsed.Scheme == "http" && IsLoopback(parsed.Hostname())
	ip, isIP := hostAddress(host)
	switch {
	case parsed.User != nil || strings.Contains(address, "#"):
		return nil, fmt.Errorf("want a URL without user information and fragment, got %q", printable.Text(address))
	case parsed.Scheme != "https" && !isLocalHTTP:
		return nil, fmt.Errorf("%q is neither https nor http on a loopback address", printable.Text(address))
	case !isIP && endsInNumber(host):
		return nil, fmt.Errorf(
			"%q has an ambiguous host: some parsers read it as an IP address; want the address in its usual form",
			printable.Text(address),
		)
	case isIP && server != nil:
		serverIP, _ := hostAddress(server.Hostname())
		if err := CheckAddress(ip, serverIP); err != nil {
			return nil, fmt.Errorf("%q: %w", printable.Text(address), err)
		}
	}
	return parsed, nil
}

// asciiHost converts a host as the HTTP client does. The conversion maps circled digits and
// ideographic full stops to ASCII, so that the result can be an IP address.
func asciiHost(host string) (string, error) {
	if !strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) {
		return host, nil
	}
	return idna.Lookup.ToASCII(host)
}

// endsInNumber reports whether the last label of a host is a number. Some parsers read this host as
// an IPv4 address (WHATWG URL, host parser). No name in the DNS has this label.
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	label := host[strings.LastIndexByte(host, '.')+1:]
	_, err := strconv.ParseUint(label, 0, 64)
	return err == nil || strings.EqualFold(label, "0x") || errors.Is(err, strconv.ErrRange)
}

// hostAddress returns the IP address that a host is written as. The names localhost and *.localhost
// count as 127.0.0.1 (RFC 6761 section 6.3).
func hostAddress(host string) (address netip.Addr, found bool) {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	}
	address, err := netip.ParseAddr(host)
	return address, err == nil
}

// IsLoopback reports whether a host is localhost or a loopback address.
func IsLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && address.Unmap().IsLoopback()
}

// sameOrigin compares the scheme and host of two URLs. URLs with user information have no origin.
func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Host, b.Host) && a.User == nil && b.User == nil
}

func sameOriginText(a, b string) bool {
	first, err := url.Parse(a)
	second, secondErr := url.Parse(b)
	return err == nil && secondErr == nil && sameOrigin(first, second)
}
