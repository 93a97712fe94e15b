package clientip

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the addresses of trusted reverse proxies. Nil trusts none.
type Proxies []netip.Prefix

// maxHops bounds how many entries of X-Forwarded-For are read, and maxEntry the length of each in
// bytes.
const (
	maxHops  = 32
	maxEntry = 64
)

// maxProxies bounds a list of trusted proxies: content delivery networks publish some dozens of
// prefixes.
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

var errNoAddress = errors.New("is no address or network: write one such as 10.0.0.7 or 10.1.0.0/16")

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

// Address is the address that a request came from: the peer's, or if the peer is a trusted proxy,
// the last one in X-Forwarded-For that is not a trusted proxy. An entry that is no address ends the
// search; then the proxy that appended it counts. IPv4-mapped addresses are unmapped, and zones
// left out. The result is the zero Addr if the peer has no IP address, as on a Unix socket.
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
			rest, entry = rest[:comma], rest[comma+1:]
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

// parseEntry reads an address with or without a port. IPv6 may stand in brackets, and has to before
// a port.
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

// Network is the network that an address belongs to, for limits: /24 for IPv4 and /48 for IPv6. A
// subscriber commonly gets a /56 or a /48 (RFC 6177), so all of its addresses are one source. The
// zero Addr has the zero Prefix.
func Network(address netip.Addr) netip.Prefix {
	bits := 24
	if address = address.Unmap(); address.Is6() {
		bits = 48
	}
	network, err := address.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return network
}
