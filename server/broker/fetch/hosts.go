package fetch

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"mcpentra/server/loopback"
)

// Hosts says which hosts may be asked. The zero value allows none.
type Hosts struct {
	// Any allows every public host.
	Any bool
	// Listed are the hosts that are allowed even without Any.
	Listed []Host
}

// A Host is a host that an operator allows. With a port, it may be on loopback.
type Host struct {
	Name string // in lower-case IDNA ASCII, or an IP address
	Port uint16 // zero means any port, but no loopback address
}

// maxListed bounds a list of hosts.
const maxListed = 1000

// ParseHosts reads hosts such as example.com, client.example.com:8443 or 127.0.0.1:8443.
func ParseHosts(texts []string) (Hosts, error) {
	if len(texts) > maxListed {
		return Hosts{}, fmt.Errorf("want at most %d hosts, got %d", maxListed, len(texts))
	}
	var hosts Hosts
	for _, text := range texts {
		host, err := parseHost(text)
		if err != nil {
			return Hosts{}, err
		}
		hosts.Listed = append(hosts.Listed, host)
	}
	return hosts, nil
}

func parseHost(text string) (Host, error) {
	unusable := func(why string) (Host, error) {
		return Host{}, fmt.Errorf("the host %q %s: write one such as example.com or client.example.com:8443", text, why)
	}
	name := text
	var port uint16
	if plain, number, err := net.SplitHostPort(text); err == nil {
		parsed, err := strconv.ParseUint(number, 10, 16)
		if err != nil || parsed == 0 {
			return unusable("has no port from 1 to 65535")
		}
		name = plain
		port = uint16(parsed)
	}
	name, err := asciiHost(strings.Trim(name, "[]"))
	switch {
	case err != nil:
		return unusable(err.Error())
	case loopback.IsHost(name) && port == 0:
		return unusable("is on loopback, which needs a port")
	}
	return Host{Name: name, Port: port}, nil
}

// find returns the entry for a host and port. An entry with a port counts before one without.
func (h Hosts) find(name string, port uint16) (found Host, listed bool) {
	for _, host := range h.Listed {
		if host.Name == name && (host.Port == port || host.Port == 0) {
			if host.Port != 0 {
				return host, true
			}
			found = host
			listed = true
		}
	}
	return found, listed
}

// A target is where the document of a URL is.
type target struct {
	url        *url.URL
	host       string // lower-case IDNA ASCII or an IP address
	mayBeLocal bool   // the operator lists host and port
}

// maxURL bounds a URL, in bytes.
const maxURL = 2048

// target returns the target of a URL, if the URL is allowed.
func (h Hosts) target(text string) (*target, error) {
	if len(text) > maxURL {
		return nil, fmt.Errorf("want a URL of at most %d bytes, got %d", maxURL, len(text))
	}
	parsed, err := url.Parse(text)
	isPlain := err == nil && parsed.Scheme == "https" && parsed.User == nil && !strings.Contains(text, "#")
	if !isPlain || parsed.Hostname() == "" {
		return nil, errors.New("want an https URL without user information and fragment")
	}
	host, err := asciiHost(parsed.Hostname())
	if err != nil {
		return nil, fmt.Errorf("the host of the URL %w", err)
	}
	port, err := portOf(parsed)
	if err != nil {
		return nil, err
	}
	entry, isListed := h.find(host, port)
	found := &target{url: parsed, host: host, mayBeLocal: isListed && entry.Port != 0}
	if err := found.checkPort(port, isListed); err != nil {
		return nil, err
	}
	if address, err := netip.ParseAddr(host); err == nil {
		if err := found.checkAddress(address); err != nil {
			return nil, err
		}
	}
	isLocalName := loopback.IsName(host) || strings.HasSuffix(host, ".localhost")
	if isLocalName && !found.mayBeLocal {
		return nil, fmt.Errorf("want a public host, got %s", host)
	}
	if !h.Any && !isListed {
		return nil, &unlistedError{host: net.JoinHostPort(host, strconv.Itoa(int(port)))}
	}
	return found, nil
}

// checkPort refuses the ports of other services: 443 is for https, and anyone may use those from
// 1024 on.
func (t *target) checkPort(port uint16, isListed bool) error {
	if port == 443 || port >= 1024 || isListed {
		return nil
	}
	return fmt.Errorf("want port 443 or one from 1024 on, got %d", port)
}

// checkAddress applies the address policy.
func (t *target) checkAddress(address netip.Addr) error {
	if t.mayBeLocal && address.Unmap().IsLoopback() && address.Zone() == "" {
		return nil
	}
	return CheckAddress(address)
}

// unlistedError means that the operator does not list a host.
type unlistedError struct{ host string }

func (e *unlistedError) Error() string { return "the host " + e.host + " is not listed" }

func portOf(u *url.URL) (uint16, error) {
	if u.Port() == "" {
		if strings.HasSuffix(u.Host, ":") {
			return 0, errors.New("the URL has an empty port")
		}
		return 443, nil
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || port == 0 {
		return 0, errors.New("want a port from 1 to 65535")
	}
	return uint16(port), nil
}

// asciiHost returns a host in lower case. It refuses a name that is not IDNA ASCII, and an address
// that is not in its usual form, because resolvers and other programs read these differently.
func asciiHost(text string) (string, error) {
	host := strings.ToLower(text)
	if address, err := netip.ParseAddr(host); err == nil {
		if address.Zone() != "" {
			return "", errors.New("has a zone")
		}
		return address.String(), nil
	}
	ascii, err := idna.Lookup.ToASCII(host)
	isPlain := host != "" && ascii == host && !strings.HasSuffix(host, ".") && !strings.ContainsAny(host, "%*")
	if err != nil || !isPlain {
		return "", errors.New("is not a name in IDNA ASCII form without a final dot")
	}
	if endsInNumber(host) {
		return "", errors.New("is an IP address in an unusual form")
	}
	return host, nil
}

// endsInNumber reports whether some resolvers read a host as an IPv4 address, such as 127.1, 0x7f.1
// or 2130706433.
func endsInNumber(host string) bool {
	label := host[strings.LastIndex(host, ".")+1:]
	digits, isHex := strings.CutPrefix(label, "0x")
	if isHex {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}
