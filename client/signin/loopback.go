package signin

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// freePortAttempts bounds the search for a port that is free on both loopback addresses.
const freePortAttempts = 20

// listenLoopback opens a port of a loopback address, or of both for localhost. Port 0 means a free
// one. The server and the fake have functions like this one: the parts share no code.
func listenLoopback(host, port string) ([]net.Listener, error) {
	if host != "localhost" {
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
			return nil, fmt.Errorf("want a loopback address, got %q", host)
		}
		listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err != nil {
			return nil, err
		}
		return []net.Listener{listener}, nil
	}
	for attempt := 0; ; attempt++ {
		ipv4, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			return nil, err
		}
		samePort := strconv.Itoa(ipv4.Addr().(*net.TCPAddr).Port)
		ipv6, err := net.Listen("tcp6", net.JoinHostPort("::1", samePort))
		switch {
		case err == nil:
			return []net.Listener{ipv4, ipv6}, nil
		case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
			return []net.Listener{ipv4}, nil // the machine has no IPv6
		}
		_ = ipv4.Close()
		if port != "0" || attempt == freePortAttempts {
			return nil, err
		}
	}
}
