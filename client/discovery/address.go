package discovery

import (
	"fmt"
	"net/netip"
)

// A reach says from where an address can be reached.
type reach int

const (
	nowhere    reach = iota // no server may name it: nobody's address, or one with more rights than the server
	thisHost                // this machine alone
	ownNetwork              // a network of its own, such as an organisation's
	everywhere              // the public network
)

// A block is a range of addresses that not everybody reaches, or that nobody should.
type block struct {
	prefix netip.Prefix
	reach  reach
	name   string
}

func blockOf(prefix string, from reach, name string) block {
	return block{netip.MustParsePrefix(prefix), from, name}
}

// blocks are the special ranges. The first that holds an address counts. Most are from the IANA
// IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), where "Globally Reachable" is not
// true. The cloud providers document the addresses of their metadata services.
var blocks = []block{
	blockOf("168.63.129.16/32", nowhere, "Azure's platform service"),
	blockOf("100.100.100.200/32", nowhere, "Alibaba Cloud's metadata service"),
	blockOf("fd00:ec2::/32", nowhere, "AWS's metadata service"),
	blockOf("fd20:ce::/32", nowhere, "Google Cloud's metadata service"),
	blockOf("fd00:c1::/32", nowhere, "Oracle Cloud's metadata service"),
	blockOf("fd00:42::/32", nowhere, "Scaleway's metadata service"),

	blockOf("0.0.0.0/8", nowhere, "this network, RFC 791"),
	blockOf("10.0.0.0/8", ownNetwork, "a private network, RFC 1918"),
	blockOf("100.64.0.0/10", ownNetwork, "a carrier's network, RFC 6598"),
	blockOf("127.0.0.0/8", thisHost, "loopback, RFC 1122"),
	blockOf("169.254.0.0/16", nowhere, "link-local, RFC 3927"),
	blockOf("172.16.0.0/12", ownNetwork, "a private network, RFC 1918"),
	blockOf("192.0.0.0/24", nowhere, "protocol assignments, RFC 6890"),
	blockOf("192.0.2.0/24", nowhere, "documentation, RFC 5737"),
	blockOf("192.88.99.0/24", nowhere, "6to4 relays, RFC 7526"),
	blockOf("192.168.0.0/16", ownNetwork, "a private network, RFC 1918"),
	blockOf("198.18.0.0/15", ownNetwork, "benchmarks, RFC 2544"), // also what some local proxies answer for every name
	blockOf("198.51.100.0/24", nowhere, "documentation, RFC 5737"),
	blockOf("203.0.113.0/24", nowhere, "documentation, RFC 5737"),
	blockOf("224.0.0.0/4", nowhere, "multicast, RFC 5771"),
	blockOf("240.0.0.0/4", nowhere, "reserved, RFC 1112"),
	blockOf("0.0.0.0/0", everywhere, "the public network"),

	blockOf("::1/128", thisHost, "loopback, RFC 4291"),
	blockOf("fc00::/7", ownNetwork, "a private network, RFC 4193"),
	blockOf("fe80::/10", nowhere, "link-local, RFC 4291"),
	blockOf("fec0::/10", ownNetwork, "site-local, RFC 3879"),
	blockOf("ff00::/8", nowhere, "multicast, RFC 4291"),
	// These stand for the IPv4 address in them, which standsFor finds.
	blockOf("64:ff9b::/96", everywhere, "a translator, RFC 6052"),
	blockOf("64:ff9b:1::/48", ownNetwork, "a translator of a network of its own, RFC 8215"),
	blockOf("2002::/16", everywhere, "6to4, RFC 3056"),
	blockOf("2001::/32", nowhere, "Teredo, RFC 4380"),
	blockOf("2001::/23", nowhere, "protocol assignments, RFC 2928"),
	blockOf("2001:db8::/32", nowhere, "documentation, RFC 3849"),
	blockOf("3fff::/20", nowhere, "documentation, RFC 9637"),
	// IANA gives out global unicast addresses from this range alone. The IPv4-compatible ones, RFC
	// 4291 section 2.5.5.1, are outside of it, and so is whatever has no use yet.
	blockOf("2000::/3", everywhere, "the public network"),
	blockOf("::/0", nowhere, "reserved, RFC 4291"),
}

var (
	translator    = netip.MustParsePrefix("64:ff9b::/96")
	ownTranslator = netip.MustParsePrefix("64:ff9b:1::/48")
	sixToFour     = netip.MustParsePrefix("2002::/16")
)

// find is the block of an address itself.
func find(address netip.Addr) block {
	for _, one := range blocks {
		if one.prefix.Contains(address) {
			return one
		}
	}
	return block{reach: nowhere, name: "no address"}
}

// last is the IPv4 address at the end of one of IPv6, which is where translators have it.
func last(address netip.Addr) netip.Addr {
	raw := address.As16()
	return netip.AddrFrom4([4]byte(raw[12:]))
}

// inOwnTranslator is the IPv4 address behind a translator of a network of its own. Where the prefix
// is shorter than usual the address stands elsewhere (RFC 6052 section 2.2), which is not taken
// apart.
func inOwnTranslator(address netip.Addr) netip.Addr {
	raw := address.As16()
	if [4]byte(raw[8:12]) != [4]byte{} {
		return netip.IPv4Unspecified()
	}
	return last(address)
}

// standsFor is the IPv4 addresses that a translator or tunnel would go on to from an address of
// IPv6.
func standsFor(address netip.Addr) []netip.Addr {
	if address.Is4() {
		return nil
	}
	var all []netip.Addr
	raw := address.As16()
	switch {
	case translator.Contains(address):
		all = append(all, last(address))
	case ownTranslator.Contains(address):
		all = append(all, inOwnTranslator(address))
	case sixToFour.Contains(address):
		all = append(all, netip.AddrFrom4([4]byte(raw[2:6])))
	}
	// ISATAP has one in an address of any network (RFC 5214 section 6.1).
	if raw[8]&^0x02 == 0 && [3]byte(raw[9:12]) == [3]byte{0, 0x5e, 0xfe} {
		all = append(all, last(address))
	}
	return all
}

// nearest is the block of an address, or that of an address that it stands for if that one is
// nearer.
func nearest(address netip.Addr) block {
	found := find(address)
	for _, one := range standsFor(address) {
		if other := find(one); other.reach < found.reach {
			found = other
		}
	}
	return found
}

// CheckAddress says why the client makes no connection to an address that the metadata of a server
// led to. No server may name addresses such as that of a cloud's metadata service. Only a server
// that is as near itself may name a private address or loopback. An invalid server address is far
// away.
func CheckAddress(address, server netip.Addr) error {
	// A zone picks an interface, and says nothing about where an address belongs.
	address, server = address.Unmap().WithZone(""), server.Unmap().WithZone("")
	to := address
	if ownTranslator.Contains(server) {
		server = inOwnTranslator(server)
		if ownTranslator.Contains(to) {
			to = inOwnTranslator(to) // the server's own translator leads there
		}
	}
	at := nearest(to)
	from := nearest(server).reach
	if from == nowhere {
		from = everywhere
	}
	if at.reach == nowhere || at.reach < from {
		return fmt.Errorf("%s is not a public address (%s), and the MCP server has no business there", address, at.name)
	}
	return nil
}
