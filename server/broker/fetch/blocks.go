package fetch

import "net/netip"

// A block is a range of addresses from which nothing is fetched.
type block struct {
	prefix netip.Prefix
	name   string // with an article, for an error text
}

func newBlock(prefix, name string) block {
	return block{prefix: netip.MustParsePrefix(prefix), name: name}
}

// reserved4 are the ranges of IPv4 that are not public. Most are from the IANA IPv4 Special-Purpose
// Address Registry (RFC 6890), where they are not globally reachable. Azure's platform service has
// a public address.
var reserved4 = []block{
	newBlock("0.0.0.0/8", "an address of \"this network\" (RFC 791)"),
	newBlock("10.0.0.0/8", "an address of a private network (RFC 1918)"),
	newBlock("100.64.0.0/10", "an address of a carrier's network (RFC 6598)"),
	newBlock("127.0.0.0/8", "a loopback address (RFC 1122)"),
	newBlock("168.63.129.16/32", "the address of Azure's platform service"),
	newBlock("169.254.0.0/16", "a link-local address (RFC 3927)"),
	newBlock("172.16.0.0/12", "an address of a private network (RFC 1918)"),
	newBlock("192.0.0.0/24", "an address for protocol assignments (RFC 6890)"),
	newBlock("192.0.2.0/24", "an address for documentation (RFC 5737)"),
	newBlock("192.31.196.0/24", "an address of the AS112 service (RFC 7535)"),
	newBlock("192.52.193.0/24", "an address of AMT relays (RFC 7450)"),
	newBlock("192.88.99.0/24", "an address of 6to4 relays (RFC 7526)"),
	newBlock("192.168.0.0/16", "an address of a private network (RFC 1918)"),
	newBlock("192.175.48.0/24", "an address of the AS112 service (RFC 7534)"),
	newBlock("198.18.0.0/15", "an address for benchmarks (RFC 2544)"),
	newBlock("198.51.100.0/24", "an address for documentation (RFC 5737)"),
	newBlock("203.0.113.0/24", "an address for documentation (RFC 5737)"),
	newBlock("224.0.0.0/4", "a multicast address (RFC 5771)"),
	newBlock("240.0.0.0/4", "a reserved address (RFC 1112)"),
}

// reserved6 are the ranges of IPv6 that are not public, within the range of global unicast
// addresses. Every address outside of that range is refused.
var reserved6 = []block{
	newBlock("2001:db8::/32", "an address for documentation (RFC 3849)"),
	newBlock("2001::/32", "an address of a Teredo tunnel (RFC 4380)"),
	newBlock("2001::/23", "an address for protocol assignments (RFC 2928)"),
	newBlock("2002::/16", "an address of a 6to4 tunnel (RFC 3056)"),
	newBlock("2620:4f:8000::/48", "an address of the AS112 service (RFC 7534)"),
	newBlock("3ffe::/16", "an address of the former 6bone (RFC 3701)"),
	newBlock("3fff::/20", "an address for documentation (RFC 9637)"),
}

// nearby6 are ranges outside of the range of global unicast addresses. They only name an address
// that is refused in any case.
var nearby6 = []block{
	newBlock("::/128", "the unspecified address (RFC 4291)"),
	newBlock("::1/128", "a loopback address (RFC 4291)"),
	newBlock("::/96", "an IPv4-compatible address (RFC 4291)"),
	newBlock("64:ff9b:1::/48", "an address of a private network's translator (RFC 8215)"),
	newBlock("fc00::/7", "an address of a private network (RFC 4193)"),
	newBlock("fe80::/10", "a link-local address (RFC 4291)"),
	newBlock("fec0::/10", "a site-local address (RFC 3879)"),
	newBlock("ff00::/8", "a multicast address (RFC 4291)"),
}

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")     // RFC 4291 section 2.4
	translator    = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
)

func blockOf(address netip.Addr, blocks []block) (block, bool) {
	for _, b := range blocks {
		if b.prefix.Contains(address) {
			return b, true
		}
	}
	return block{}, false
}
