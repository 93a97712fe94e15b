package main

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"mcpentra/client"
	"mcpentra/client/discovery"
)

const port = `^:?[0-9]{2,5}(/|$)`

var (
	// meantAsAddress is what no command begins with: a scheme, right or wrong, or a port alone.
	meantAsAddress = regexp.MustCompile(`(?i)^(['"<]*[a-z][a-z0-9+.-]*://|//|https?[:/]|localhost[:;/\\])|` + port)
	portAlone      = regexp.MustCompile(port)
	schemePart     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*(:/*|//)`)
	httpAtAll      = regexp.MustCompile(`(?i)^https?[:/]`)
)

// isAddress reports whether an argument is meant as the address of a server, with or without its
// scheme. Words that could be commands are none.
func isAddress(argument string) bool {
	if meantAsAddress.MatchString(argument) {
		return true
	}
	if strings.HasPrefix(argument, "-") || strings.ContainsAny(argument, " \t{") {
		return false
	}
	parsed, err := url.Parse("//" + argument)
	if err != nil || parsed.Hostname() == "" {
		return false
	}
	host := parsed.Hostname()
	return parsed.Port() != "" || discovery.IsLoopback(host) || strings.Contains(strings.Trim(host, "."), ".")
}

// withScheme adds the scheme that people leave out: http on this machine, https everywhere else. It
// takes away what comes along when people copy an address. A port alone is one of this machine.
func withScheme(address string) string {
	if !isAddress(address) {
		return address
	}
	tidy := strings.TrimPrefix(strings.Trim(address, "'\"<> \t"), "//")
	if strings.Contains(tidy, "://") || httpAtAll.MatchString(tidy) {
		return tidy
	}
	if portAlone.MatchString(tidy) {
		tidy = "localhost:" + strings.TrimPrefix(tidy, ":")
	}
	parsed, err := url.Parse("//" + tidy)
	switch {
	case err != nil:
		return address
	case isHere(parsed.Hostname()):
		return "http://" + tidy
	}
	return "https://" + tidy
}

// isHere reports whether a host is this machine, or the address that servers here listen on.
func isHere(host string) bool {
	address, err := netip.ParseAddr(host)
	return discovery.IsLoopback(host) || err == nil && address.IsUnspecified()
}

// onThisMachine is an address in which localhost stands for the address that servers listen on.
func onThisMachine(address url.URL) *url.URL {
	listened, err := netip.ParseAddr(address.Hostname())
	switch {
	case address.Hostname() != "" && (err != nil || !listened.IsUnspecified()):
	case address.Port() != "":
		address.Host = net.JoinHostPort("localhost", address.Port())
	default:
		address.Host = "localhost"
	}
	return &address
}

// explainURL adds what to type to the error about an address that is none of an MCP server.
func explainURL(address string, failure error) error {
	if _, err := client.ReadServerURL(address); err == nil {
		return failure // it is about something else
	}
	if meant := guess(address); meant != "" {
		return fmt.Errorf("%w%s%s", failure, instead, meant)
	}
	return failure
}

// guess is the address that was probably meant, or "".
func guess(address string) string {
	text := strings.ReplaceAll(strings.Join(strings.Fields(address), ""), `\`, "/")
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		rest := schemePart.ReplaceAllString(text, "")
		if !isAddress(rest) {
			return ""
		}
		if parsed, err = url.Parse(withScheme(rest)); err != nil {
			return ""
		}
	}
	parsed.User = nil
	meant := onThisMachine(*parsed)
	switch {
	case meant.Host != parsed.Host:
		meant.Scheme = "http"
	case !discovery.IsLoopback(meant.Hostname()):
		meant.Scheme = "https"
	}
	if _, err := client.ReadServerURL(meant.String()); err != nil {
		return ""
	}
	return meant.String()
}
