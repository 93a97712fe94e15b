package clientip

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies lists the addresses of trusted reverse proxies; nil trusts none.
type Proxies []netip.Prefix

// maxHops is how many entries of X-Forwarded-For are read, and maxEntry how many bytes each may
// have.
const (
	maxHops  = 32
	maxEntry = 64
)

// maxProxies is how many trusted proxies a list may have. Content delivery networks publish some
// dozens of prefixes.
const maxProxies = 1000

// ParseProxies reads addresses and networks in CIDR notation, such as 10.0.0.7, 10.1.0.0/16 or
// fd00::/8.
func ParseProxies(texts []string) (Proxies, error) {
	if len(texts) > maxProxies {
		return nil, fmt.Errorf("want at most %d trusted proxies, got %d", maxProxies, len(texts))
	}
	var proxies Proxies
	for _, text := range texts {
		prefix, err := parsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("the trusted proxy %q %w", text, err)
		}
		proxies = append(proxies, prefix)
	}
	return proxies, nil
}

var errNoAddress = errors.New("is not an address or network: write one such as 10.0.0.7 or 10.1.0.0/16")

func parsePrefix(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		address, err := netip.ParseAddr(text)
		switch {
		case err != nil:
			return netip.Prefix{}, errNoAddress
		case address.Zone() != "":
			return netip.Prefix{}, errors.New("has a zone: write the address without it")
		}
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, errNoAddress
	}
	if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	switch {
	case prefix.Bits() == 0:
		return netip.Prefix{}, errors.New("means every address: write the network of the proxies")
	case prefix.Masked() != prefix:
		return netip.Prefix{}, fmt.Errorf("has bits behind the mask: write %s for the network", prefix.Masked())
	}
	return prefix, nil
}

func (p Proxies) contains(address netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// Address returns the address that a request came from. This is the peer's address, or, if the peer
// is a trusted proxy, the last entry of X-Forwarded-For that is not a trusted proxy. An entry
// without an address ends the search; then the address of the proxy that appended it is returned.
// IPv4-mapped addresses are unmapped, and zones are left out. The result is the zero Addr if the
// peer has no IP address, for example on a Unix socket.
func (p Proxies) Address(r *http.Request) netip.Addr {
	address, known := parseEntry(r.RemoteAddr)
	if !known {
		return netip.Addr{}
	}
	lines := r.Header["X-Forwarded-For"]
	line := len(lines)
	rest := ""
	more := false
	for range maxHops {
		if !p.contains(address) {
			return address
		}
		if !more {
			if line == 0 {
				return address
			}
			line--
			rest = lines[line]
			more = true
		}
		entry := rest
		if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
			entry = rest[comma+1:]
			rest = rest[:comma]
		} else {
			more = false
		}
		next, known := parseEntry(strings.Trim(entry, " \t"))
		if !known {
			return address
		}
		address = next
	}
	return address
}

// parseEntry reads an address with or without a port. Brackets around an IPv6 address are optional
// without a port.
func parseEntry(entry string) (netip.Addr, bool) {
	if len(entry) > maxEntry {
		return netip.Addr{}, false
	}
	address, err := netip.ParseAddr(entry)
	if err != nil {
		var withPort netip.AddrPort
		if withPort, err = netip.ParseAddrPort(entry); err == nil {
			address = withPort.Addr()
		}
	}
	if inner, bracketed := strings.CutPrefix(entry, "["); err != nil && bracketed && strings.HasSuffix(inner, "]") {
		address, err = netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err == nil && address.Is4() {
			return netip.Addr{}, false // brackets are for IPv6
		}
	}
	if err != nil || address.IsUnspecified() {
		return netip.Addr{}, false
	}
	return address.Unmap().WithZone(""), true
}

// Network returns the network of an address, for limits: /24 for IPv4 and /48 for IPv6. A
// subscriber commonly gets a /56 or a /48 (RFC 6177), so limits treat all of its addresses as one
// source. The zero Addr has the zero Prefix.
func Network(address netip.Addr) netip.Prefix {
	bits := 24
	address = address.Unmap()
	if address.Is6() {
		bits = 48
	}
	network, err := address.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return network
}
