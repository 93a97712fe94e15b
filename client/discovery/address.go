package discovery

import (
	"fmt"
	"net/netip"
)

// A reach says from where an address can be reached. A smaller one is nearer.
type reach int

const (
	unusable reach = iota // no server may name the address
	loopback              // this machine
	private               // a network of an organization
	public                // the internet
)

// CheckAddress returns an error if the client must not connect to an address that a server's
// metadata led to. A server may name public addresses. It may name a private or loopback address
// only if its own address is as near. No server may name a link-local or multicast address, or a
// cloud's metadata service. An invalid server address counts as public.
func CheckAddress(address, server netip.Addr) error {
	// A zone selects an interface. It does not change the reach.
	address = address.Unmap().WithZone("")
	server = server.Unmap().WithZone("")
	destination := address
	if localTranslator.Contains(server) {
		server = behindLocalTranslator(server)
		if localTranslator.Contains(destination) {
			destination = behindLocalTranslator(destination)
		}
	}
	to := nearestBlock(destination)
	from := nearestBlock(server).reach
	if from == unusable {
		from = public
	}
	switch {
	case to.reach == unusable:
		return fmt.Errorf("%s is not a public address but %s; no MCP server may name it", address, to.name)
	case to.reach < from:
		return fmt.Errorf(
			"%s is not a public address but %s; only an MCP server at an address as near may name it",
			address,
			to.name,
		)
	}
	return nil
}

// nearestBlock returns the block of an address, or of an IPv4 address in it if that is nearer.
func nearestBlock(address netip.Addr) block {
	nearest := blockOf(address)
	for _, embedded := range embeddedIPv4(address) {
		if b := blockOf(embedded); b.reach < nearest.reach {
			nearest = b
		}
	}
	return nearest
}

var (
	translator      = netip.MustParsePrefix("64:ff9b::/96")   // RFC 6052
	localTranslator = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215
	sixToFour       = netip.MustParsePrefix("2002::/16")      // RFC 3056
)

// embeddedIPv4 returns the IPv4 addresses in an IPv6 address. A translator or tunnel would connect
// to them.
func embeddedIPv4(address netip.Addr) []netip.Addr {
	if address.Is4() {
		return nil
	}
	var embedded []netip.Addr
	raw := address.As16()
	switch {
	case translator.Contains(address):
		embedded = append(embedded, lastIPv4(address))
	case localTranslator.Contains(address):
		embedded = append(embedded, behindLocalTranslator(address))
	case sixToFour.Contains(address):
		embedded = append(embedded, netip.AddrFrom4([4]byte(raw[2:6])))
	}
	// ISATAP puts one into the interface identifier of any network (RFC 5214 section 6.1).
	isISATAP := raw[8]&^0x02 == 0 && [3]byte(raw[9:12]) == [3]byte{0, 0x5e, 0xfe}
	if isISATAP {
		embedded = append(embedded, lastIPv4(address))
	}
	return embedded
}

// lastIPv4 returns the last four bytes of an IPv6 address.
func lastIPv4(address netip.Addr) netip.Addr {
	raw := address.As16()
	return netip.AddrFrom4([4]byte(raw[12:]))
}

// behindLocalTranslator returns the IPv4 address in an address of a private network's translator.
// It returns 0.0.0.0, which is unusable, if the translator's prefix is shorter than 96 bits: the
// IPv4 address is then in another position (RFC 6052 section 2.2).
func behindLocalTranslator(address netip.Addr) netip.Addr {
	raw := address.As16()
	if [4]byte(raw[8:12]) != [4]byte{} {
		return netip.IPv4Unspecified()
	}
	return lastIPv4(address)
}
