package loopback

import (
	"net/netip"
	"strings"
)

// IsHost reports whether a URL's host, without port and brackets, can only be this machine: the
// name localhost in any case (RFC 6761 section 6.3), or a loopback address. An IPv4 address written
// as IPv6 counts, and an address with a zone, too. Other names do not count, even those below
// localhost or with a dot at the end, because a resolver decides where they lead.
func IsHost(host string) bool {
	if IsName(host) {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// IsStrictHost is [IsHost] for hosts that a stranger writes and a browser visits, such as the hosts
// of redirect URIs. It accepts no address with a zone and no IPv4 address written as IPv6, because
// browsers and other programs read these differently.
func IsStrictHost(host string) bool {
	if IsName(host) {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback() && address.Zone() == "" && !address.Is4In6()
}

// IsName reports whether a host is the name localhost in any case. Only ASCII letters count as
// equal.
func IsName(host string) bool { return strings.ToLower(host) == "localhost" }
