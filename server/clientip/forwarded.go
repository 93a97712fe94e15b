package clientip

import (
	"net/netip"
	"strings"
)

// maxElement bounds an element of Forwarded, in bytes. Proxies may put the Host header into it.
const maxElement = 1024

// readForwarded reads the last element of a line of Forwarded (RFC 7239 section 4). The line is
// read from the right, because the client may have written its left part.
func readForwarded(line string) (address netip.Addr, rest string, more, known bool) {
	element, rest, more, known := lastElement(line)
	if !known {
		return netip.Addr{}, "", false, false
	}
	node := ""
	found := false
	for _, pair := range strings.Split(element, ";") {
		name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
		if !strings.EqualFold(name, "for") {
			continue
		}
		if found {
			return netip.Addr{}, "", false, false
		}
		node = value
		found = true
	}
	if inner, isQuoted := strings.CutPrefix(node, `"`); isQuoted {
		node = strings.TrimSuffix(inner, `"`)
	}
	address, known = parseEntry(node)
	return address, rest, more, known
}

// lastElement divides a line at its last comma outside of quotation marks. It returns false for an
// element that is too long, or that has an escaped character or an open quotation mark: no address
// has them.
func lastElement(line string) (element, rest string, more, ok bool) {
	inQuotes := false
	for at := len(line) - 1; at >= 0; at-- {
		switch char := line[at]; {
		case len(line)-at > maxElement, char == '\\':
			return "", "", false, false
		case char == '"':
			inQuotes = !inQuotes
		case char == ',' && !inQuotes:
			return line[at+1:], line[:at], true, true
		}
	}
	return line, "", false, !inQuotes
}
