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
// is a trusted proxy, the last entry of X-Forwarded-For or Forwarded (RFC 7239) that is not a
// trusted proxy. An entry without an address ends the search; then the address of the proxy that
// appended it is returned. If a request has both headers and they disagree, the peer's address is
// returned, because a proxy may pass on the one that the client wrote. IPv4-mapped addresses are
// unmapped, and zones are left out. The result is the zero Addr if the peer has no IP address, for
// example on a Unix socket.
func (p Proxies) Address(r *http.Request) netip.Addr {
	peer, known := parseEntry(r.RemoteAddr)
	if !known {
		return netip.Addr{}
	}
	common := r.Header["X-Forwarded-For"]
	standard := r.Header["Forwarded"]
	if len(standard) == 0 {
		return p.farthest(peer, &entries{lines: common, read: readCommon})
	}
	address := p.farthest(peer, &entries{lines: standard, read: readForwarded})
	if len(common) > 0 && address != p.farthest(peer, &entries{lines: common, read: readCommon}) {
		return peer
	}
	return address
}

// farthest follows the entries from the peer on while they are trusted proxies.
func (p Proxies) farthest(peer netip.Addr, appended *entries) netip.Addr {
	address := peer
	for range maxHops {
		if !p.contains(address) {
			return address
		}
		next, known := appended.next()
		if !known {
			return address
		}
		address = next
	}
	return address
}

// entries reads the lines of a header from the right.
type entries struct {
	lines []string
	rest  string
	more  bool // rest has an entry
	// read returns the address of the last entry of a line, and the line in front of it.
	read func(line string) (address netip.Addr, rest string, more, known bool)
}

// next returns the next entry. It returns false if there is none, or if it has no address.
func (e *entries) next() (address netip.Addr, known bool) {
	if !e.more {
		if len(e.lines) == 0 {
			return netip.Addr{}, false
		}
		e.rest = e.lines[len(e.lines)-1]
		e.lines = e.lines[:len(e.lines)-1]
	}
	address, e.rest, e.more, known = e.read(e.rest)
	return address, known
}

// readCommon reads the last entry of a line of X-Forwarded-For.
func readCommon(line string) (address netip.Addr, rest string, more, known bool) {
	entry := line
	if comma := strings.LastIndexByte(line, ','); comma >= 0 {
		entry = line[comma+1:]
		rest = line[:comma]
		more = true
	}
	address, known = parseEntry(strings.Trim(entry, " \t"))
	return address, rest, more, known
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
