package fakeentra

import (
	"net"
	"net/http"
	"strings"
)

// forPortal reports whether a request is for the pages of Config.Portal. They can do whatever the
// admin API can do, so they are for a browser on this machine. A proxy on this machine may forward
// a stranger, and the host of a page elsewhere may resolve to loopback (DNS rebinding).
func forPortal(r *http.Request) bool {
	if r.URL.Path != "/" && !strings.HasPrefix(r.URL.Path, "/portal/") {
		return false
	}
	for name := range r.Header {
		switch {
		case strings.HasPrefix(name, "X-Forwarded-"), name == "Forwarded", name == "Via", name == "X-Real-Ip":
			return false
		}
	}
	return isLoopbackAddress(r.Host) && isLoopbackAddress(r.RemoteAddr)
}

// isLoopbackAddress reports whether a host, with or without a port, is localhost or a loopback
// address.
func isLoopbackAddress(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	}
	return isLoopbackHost(host)
}
