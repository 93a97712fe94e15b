package discovery

import "net/netip"

// A block is a range of addresses with the same reach.
type block struct {
	prefix netip.Prefix
	reach  reach
	name   string // with an article, for an error text
}

func newBlock(prefix string, r reach, name string) block {
	return block{prefix: netip.MustParsePrefix(prefix), reach: r, name: name}
}

// blocks are the special ranges of each family, and after them its public network. The first block
// that holds an address counts.
//
// Most ranges are from the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), where
// "Globally Reachable" is not true. The metadata services are from the documentation of the cloud
// providers.
var blocks = []block{
	newBlock("168.63.129.16/32", unusable, "the address of Azure's platform service"),
	newBlock("100.100.100.200/32", unusable, "the address of Alibaba Cloud's metadata service"),
	newBlock("fd00:ec2::/32", unusable, "an address of AWS's metadata service"),
	newBlock("fd20:ce::/32", unusable, "an address of Google Cloud's metadata service"),
	newBlock("fd00:c1::/32", unusable, "an address of Oracle Cloud's metadata service"),
	newBlock("fd00:42::/32", unusable, "an address of Scaleway's metadata service"),

	newBlock("0.0.0.0/8", unusable, "an address of \"this network\" (RFC 791)"),
	newBlock("10.0.0.0/8", private, "an address of a private network (RFC 1918)"),
	newBlock("100.64.0.0/10", private, "an address of a carrier's network (RFC 6598)"),
	newBlock("127.0.0.0/8", loopback, "a loopback address (RFC 1122)"),
	newBlock("169.254.0.0/16", unusable, "a link-local address (RFC 3927)"),
	newBlock("172.16.0.0/12", private, "an address of a private network (RFC 1918)"),
	newBlock("192.0.0.0/24", unusable, "an address for protocol assignments (RFC 6890)"),
	newBlock("192.0.2.0/24", unusable, "an address for documentation (RFC 5737)"),
	newBlock("192.88.99.0/24", unusable, "an address of 6to4 relays (RFC 7526)"),
	newBlock("192.168.0.0/16", private, "an address of a private network (RFC 1918)"),
	newBlock("198.18.0.0/15", private, "an address for benchmarks (RFC 2544)"), // some local proxies use it
	newBlock("198.51.100.0/24", unusable, "an address for documentation (RFC 5737)"),
	newBlock("203.0.113.0/24", unusable, "an address for documentation (RFC 5737)"),
	newBlock("224.0.0.0/4", unusable, "a multicast address (RFC 5771)"),
	newBlock("240.0.0.0/4", unusable, "a reserved address (RFC 1112)"),
	newBlock("0.0.0.0/0", public, "a public address"),

	newBlock("::1/128", loopback, "a loopback address (RFC 4291)"),
	newBlock("fc00::/7", private, "an address of a private network (RFC 4193)"),
	newBlock("fe80::/10", unusable, "a link-local address (RFC 4291)"),
	newBlock("fec0::/10", private, "a site-local address (RFC 3879)"),
	newBlock("ff00::/8", unusable, "a multicast address (RFC 4291)"),
	// Addresses of translators and tunnels hold an IPv4 address: see embeddedIPv4.
	newBlock("64:ff9b::/96", public, "an address of a translator (RFC 6052)"),
	newBlock("64:ff9b:1::/48", private, "an address of a private network's translator (RFC 8215)"),
	newBlock("2002::/16", public, "an address of a 6to4 tunnel (RFC 3056)"),
	newBlock("2001::/32", unusable, "an address of a Teredo tunnel (RFC 4380)"),
	newBlock("2001::/23", unusable, "an address for protocol assignments (RFC 2928)"),
	newBlock("2001:db8::/32", unusable, "an address for documentation (RFC 3849)"),
	newBlock("3fff::/20", unusable, "an address for documentation (RFC 9637)"),
	// IANA assigns global unicast addresses from this range alone. IPv4-compatible addresses (RFC
	// 4291 section 2.5.5.1) are outside of it, as are all ranges without a use.
	newBlock("2000::/3", public, "a public address"),
	newBlock("::/0", unusable, "a reserved address (RFC 4291)"),
}

// blockOf returns the block that holds an address.
func blockOf(address netip.Addr) block {
	for _, b := range blocks {
		if b.prefix.Contains(address) {
			return b
		}
	}
	return block{reach: unusable, name: "an invalid address"}
}
