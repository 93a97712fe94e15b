package fetch

import (
	"fmt"
	"net/netip"
)

// CheckAddress returns an error if an address is not public. An IPv6 address that embeds an IPv4
// address is public only if the embedded address is, too. Addresses of tunnels and of private
// translators are never public.
func CheckAddress(address netip.Addr) error {
	if !address.IsValid() {
		return fmt.Errorf("want a public address, got none")
	}
	if address.Zone() != "" {
		return fmt.Errorf("want a public address, got %s, which names an interface", address)
	}
	plain := address.Unmap()
	name, isPublic := judge(plain)
	if !isPublic {
		return fmt.Errorf("want a public address, got %s, which is %s", address, name)
	}
	return nil
}

// judge reports whether an address without a zone is public, and otherwise names its range.
func judge(address netip.Addr) (name string, isPublic bool) {
	if address.Is4() {
		found, isReserved := blockOf(address, reserved4)
		return found.name, !isReserved
	}
	if translator.Contains(address) {
		name, isPublic = judge(lastIPv4(address))
		return "behind a translator, where it is " + name, isPublic
	}
	if !globalUnicast.Contains(address) {
		if found, isKnown := blockOf(address, nearby6); isKnown {
			return found.name, false
		}
		return "a reserved address (RFC 4291)", false
	}
	if found, isReserved := blockOf(address, reserved6); isReserved {
		return found.name, false
	}
	if isISATAP(address) {
		name, isPublic = judge(lastIPv4(address))
		return "an ISATAP address (RFC 5214) of " + name, isPublic
	}
	return "", true
}

// isISATAP reports whether the interface identifier of an address holds an IPv4 address (RFC 5214
// section 6.1). Any network can have one.
func isISATAP(address netip.Addr) bool {
	raw := address.As16()
	return raw[8]&^0x02 == 0 && [3]byte(raw[9:12]) == [3]byte{0, 0x5e, 0xfe}
}

// lastIPv4 returns the last four bytes of an IPv6 address.
func lastIPv4(address netip.Addr) netip.Addr {
	raw := address.As16()
	return netip.AddrFrom4([4]byte(raw[12:]))
}
