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

const barePortPattern = `^:?[0-9]{2,5}(/|$)`

var (
	// addressStart matches beginnings that no command has: a scheme, right or wrong, or a port
	// alone.
	addressStart = regexp.MustCompile(
		`(?i)^(['"<]*[a-z][a-z0-9+.-]*://|//|https?[:/]|localhost[:;/\\])|` + barePortPattern)
	barePort   = regexp.MustCompile(barePortPattern)
	anyScheme  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*(:/*|//)`)
	httpScheme = regexp.MustCompile(`(?i)^https?[:/]`)
)

// isAddress reports whether an argument is meant as the address of a server, with or without its
// scheme. A word that could be a command is not an address.
func isAddress(argument string) bool {
	if addressStart.MatchString(argument) {
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

// withScheme adds a missing scheme: http on this machine, https elsewhere. It removes the quotes
// and angle brackets around a copied address. A port alone is a port of this machine.
func withScheme(address string) string {
	if !isAddress(address) {
		return address
	}
	tidy := strings.TrimPrefix(strings.Trim(address, "'\"<> \t"), "//")
	if strings.Contains(tidy, "://") || httpScheme.MatchString(tidy) {
		return tidy
	}
	if barePort.MatchString(tidy) {
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

// isHere reports whether a host is this machine: a loopback host, or the unspecified address that
// servers listen on.
func isHere(host string) bool {
	address, err := netip.ParseAddr(host)
	return discovery.IsLoopback(host) || err == nil && address.IsUnspecified()
}

// onThisMachine replaces the unspecified address that servers listen on by localhost.
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

// explainURL adds to an error about the server's address the address to type.
func explainURL(address string, failure error) error {
	if _, err := client.ReadServerURL(address); err == nil {
		return failure // the error is about something else
	}
	if meant := guess(address); meant != "" {
		return fmt.Errorf("%w%s%s", failure, instead, meant)
	}
	return failure
}

// guess returns the address that was probably meant, or "".
func guess(address string) string {
	text := strings.ReplaceAll(strings.Join(strings.Fields(address), ""), `\`, "/")
	parsed, err := url.Parse(text)
	isHTTP := err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https")
	if !isHTTP || parsed.Host == "" {
		rest := anyScheme.ReplaceAllString(text, "")
		if !isAddress(rest) {
			return ""
		}
		parsed, err = url.Parse(withScheme(rest))
		if err != nil {
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
