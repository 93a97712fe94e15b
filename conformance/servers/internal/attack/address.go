package attack

import (
	"net"
	"net/url"
)

// WithPort adds a port to an address, unless the port is empty.
func WithPort(address, port string) string {
	if port == "" {
		return address
	}
	return net.JoinHostPort(address, port)
}

// IsSecure reports whether a URL is https, or http on loopback.
func IsSecure(address *url.URL) bool {
	isSafe := address.Scheme == "https" || address.Scheme == "http" && IsLoopback(address)
	return address.Host != "" && isSafe
}

// IsLoopback reports whether the host of a URL is loopback.
func IsLoopback(address *url.URL) bool {
	ip := net.ParseIP(address.Hostname())
	return address.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
